// Special functions that no kernel computes.
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::Value;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Value* in_result_type(Context& c) { return c.build.to_dtype(c.tensor(0), c.dtype()); }

// coefficients[0] x^n + coefficients[1] x^(n-1) + ...
template <size_t kCount>
Value* polynomial(Context& c, Value* x, const std::array<double, kCount>& coefficients) {
  Value* sum = c.build.add(c.build.mul(x, coefficients[0]), coefficients[1]);
  for (size_t i = 2; i < kCount; ++i) sum = c.build.add(c.build.mul(sum, x), coefficients[i]);
  return sum;
}

// Lanczos' approximation of the gamma function, with g = 7 and nine terms (P. Godfrey, "A note on
// the computation of the convergent Lanczos complex Gamma approximation", 2001), good to about
// 1e-15: gamma(z + 1) = sqrt(2 pi) t^(z + 1/2) e^-t A(z), with t = z + g + 1/2.
constexpr double kLanczosG = 7;
constexpr double kLanczosFirst = 0.99999999999980993227684700473478;
constexpr std::array kLanczos = {
    676.520368121885098567009190444019, -1259.13921672240287047156078755283,
    771.3234287776530788486528258894,   -176.61502916214059906584551354,
    12.507343278686904814458936853,     -0.13857109526572011689554707,
    9.984369578019570859563e-6,         1.50563273514931155834e-7};

struct Lanczos {
  Value* z = nullptr;
  Value* t = nullptr;
  Value* log_t = nullptr;
  Value* a = nullptr;
  Value* derivative = nullptr;  // of a
};

// At x, or for x < 1/2 at 1 - x.
Lanczos lanczos(Context& c, Value* x, Value* is_reflected) {
  Lanczos result;
  result.z = c.build.where(is_reflected, c.build.neg(x), c.build.sub(x, 1.0));
  constexpr double kShift = kLanczosG + 0.5;
  result.t = c.build.add(result.z, kShift);
  result.log_t = c.build.add(c.build.log1p(c.build.div(result.z, kShift)), std::log(kShift));
  result.a = c.build.full_like(x, kLanczosFirst);
  result.derivative = c.build.full_like(x, 0.0);
  for (size_t i = 0; i < kLanczos.size(); ++i) {
    Value* below = c.build.add(result.z, static_cast<double>(i + 1));
    Value* term = c.build.div(c.build.full_like(x, kLanczos[i]), below);
    result.a = c.build.add(result.a, term);
    result.derivative = c.build.sub(result.derivative, c.build.div(term, below));
  }
  return result;
}

Value* log_gamma(Context& c, Value* x) {
  Value* is_reflected = c.build.lt(x, 0.5);
  const Lanczos at = lanczos(c, x, is_reflected);
  // (z + 1/2) log t - t, without the difference of two large numbers.
  Value* power =
      c.build.mul(c.build.sub(c.build.add(at.z, 0.5), c.build.div(at.t, at.log_t)), at.log_t);
  Value* result =
      c.build.add(c.build.add(power, c.build.log(at.a)), 0.5 * std::log(2 * std::numbers::pi));

  // gamma(x) gamma(1 - x) = pi / sin(pi x); the sine of what x is off the nearest integer.
  Value* size = c.build.abs(x);
  Value* fraction = c.build.sub(size, c.build.floor(size));
  fraction = c.build.minimum(fraction, c.build.rsub(fraction, 1.0));
  Value* log_sine = c.build.log(c.build.sin(c.build.mul(fraction, std::numbers::pi)));
  Value* reflected = c.build.sub(c.build.rsub(log_sine, std::log(std::numbers::pi)), result);
  Value* is_pole = c.build.eq(fraction, 0.0);
  reflected = c.build.masked_fill(reflected, is_pole, kInfinity);
  result = c.build.where(is_reflected, reflected, result);
  result = c.build.masked_fill(result, c.build.isinf(x), kInfinity);
  // gamma(1) = gamma(2) = 1
  Value* is_one = c.build.logical_or(c.build.eq(x, 1.0), c.build.eq(x, 2.0));
  return c.build.masked_fill(result, is_one, 0.0);
}

Values lgamma(Context& c) { return {log_gamma(c, in_result_type(c))}; }

// The sum of the logarithms of gamma(x - i / 2), and a constant. PyTorch rounds each step to a half
// type, the sum among them.
Values mvlgamma(Context& c) {
  const DType wide = c.dtype() == DType::kFloat64 ? DType::kFloat64 : DType::kFloat32;
  const auto rounded = [&](Value* x) {
    return c.build.to_dtype(c.build.to_dtype(x, c.dtype()), wide);
  };
  Value* x = c.build.to_dtype(in_result_type(c), wide);
  const auto p = static_cast<double>(c.constant(1));
  constexpr double kMostTerms = 64;
  if (p < 1 || p > kMostTerms) return c.unsupported("p is not from 1 to 64");
  Value* sum = nullptr;
  for (int i = 0; i < p; ++i) {
    Value* term = rounded(log_gamma(c, rounded(c.build.sub(x, i / 2.0))));
    sum = sum ? c.build.add(sum, term) : term;
  }
  const double constant = rounded_to(p * (p - 1) / 4 * std::log(std::numbers::pi), c.dtype());
  return {c.build.to_dtype(c.build.add(rounded(sum), constant), c.dtype())};
}

Values digamma(Context& c) {
  Value* x = in_result_type(c);
  Value* is_reflected = c.build.lt(x, 0.5);
  const Lanczos at = lanczos(c, x, is_reflected);
  Value* slope = c.build.div(at.derivative, at.a);
  Value* rest = c.build.div(c.build.full_like(x, kLanczosG), at.t);
  Value* result = c.build.sub(c.build.add(at.log_t, slope), rest);

  // digamma(1 - x) - digamma(x) = pi / tan(pi x)
  Value* off = c.build.sub(x, c.build.floor(c.build.add(x, 0.5)));
  Value* angle = c.build.mul(off, std::numbers::pi);
  Value* cotangent = c.build.div(c.build.cos(angle), c.build.sin(angle));
  Value* reflected = c.build.sub(result, c.build.mul(cotangent, std::numbers::pi));
  result = c.build.where(is_reflected, reflected, result);
  Value* is_pole = c.build.logical_and(c.build.eq(x, c.build.floor(x)), c.build.lt(x, 0.0));
  result = c.build.masked_fill(result, is_pole, kNan);
  // The pole at zero has the sign that zero has not.
  Value* at_zero = c.build.rsub(c.build.reciprocal(x), 0.0);
  return {c.build.where(c.build.eq(x, 0.0), at_zero, result)};
}

// M. Giles, "Approximating the erfinv function", GPU Computing Gems (2011), in float32.
Values erfinv(Context& c) {
  if (c.dtype() == DType::kFloat64) return c.unsupported("erfinv is not computed in float64");
  Value* x = in_result_type(c);
  Value* one_off = c.build.mul(c.build.rsub(x, 1.0), c.build.add(x, 1.0));
  Value* w = c.build.neg(c.build.log(one_off));
  constexpr std::array kNear = {2.81022636e-08,  3.43273939e-07, -3.5233877e-06,
                                -4.39150654e-06, 0.00021858087,  -0.00125372503,
                                -0.00417768164,  0.246640727,    1.50140941};
  constexpr std::array kFar = {-0.000200214257, 0.000100950558, 0.00134934322,
                               -0.00367342844,  0.00573950773,  -0.0076224613,
                               0.00943887047,   1.00167406,     2.83297682};
  Value* near = polynomial(c, c.build.sub(w, 2.5), kNear);
  Value* far = polynomial(c, c.build.sub(c.build.sqrt(w), 3.0), kFar);
  Value* result = c.build.mul(c.build.where(c.build.lt(w, 5.0), near, far), x);
  Value* is_end = c.build.eq(c.build.abs(x), 1.0);
  return {c.build.where(is_end, c.build.mul(x, kInfinity), result)};
}

// From 1/2 on, where 1 - erf(x) loses its digits: t exp(p(2 t - 1) - x^2) with t = 2 / (2 + x). The
// polynomial is the Chebyshev fit of degree 17, good to 1e-11.
Values erfc(Context& c) {
  Value* x = in_result_type(c);
  constexpr std::array kFit = {
      9.8274519005924044e-8, 3.1508011050670808e-6,  -4.1409702578910106e-6, -2.0724462712152835e-5,
      3.5416346906743927e-5, 6.2276117814968022e-5,  -1.7625598701598698e-4, -8.8526743339138051e-5,
      6.7431123154222011e-4, -1.4801109316469066e-4, -2.3459302020781496e-3, 1.7592716422408448e-3,
      8.8249497103092667e-3, -9.8727219932155903e-3, -4.6895610643375889e-2, 4.7343308059410309e-2,
      6.7264322398019385e-1, -6.7179408406420043e-1};
  Value* t = c.build.mul(c.build.reciprocal(c.build.add(x, 2.0)), 2.0);
  Value* fit = polynomial(c, c.build.sub(c.build.mul(t, 2.0), 1.0), kFit);
  Value* above = c.build.mul(t, c.build.exp(c.build.sub(fit, c.build.mul(x, x))));
  return {c.build.where(c.build.lt(x, 0.5), c.build.rsub(c.build.erf(x), 1.0), above)};
}

// The normal distribution's integral, with the digits that PyTorch keeps.
Values ndtr(Context& c) {
  Value* scaled = c.build.mul(in_result_type(c), 1 / std::numbers::sqrt2);
  return {c.build.mul(c.build.add(c.build.erf(scaled), 1.0), 0.5)};
}

// -x log(x), 0 at 0 and minus infinity below.
Values entropy(Context& c) {
  Value* x = in_result_type(c);
  Value* above = c.build.neg(c.build.mul(x, c.build.log(x)));
  Value* not_above = c.build.masked_fill(above, c.build.eq(x, 0.0), 0.0);
  return {c.build.masked_fill(not_above, c.build.lt(x, 0.0), -kInfinity)};
}

constexpr Entry kSpecialRules[] = {
    {"aten.digamma.default aten.special_digamma.default aten.special_psi.default", digamma},
    {"aten.erfc.default aten.special_erfc.default", erfc},
    {"aten.erfinv.default aten.special_erfinv.default", erfinv},
    {"aten.lgamma.default aten.special_gammaln.default", lgamma},
    {"aten.mvlgamma.default aten.special_multigammaln.default", mvlgamma},
    {"aten.special_entr.default", entropy},
    {"aten.special_ndtr.default", ndtr},
};

}  // namespace

std::span<const Entry> special_rules() { return kSpecialRules; }

}  // namespace slipway::passes::decompositions
