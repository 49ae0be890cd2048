// Functions of one tensor, element by element, and conversions.
#include <cmath>
#include <limits>
#include <numbers>

#include "ir/promotion.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::Scalar;
using ir::SymInt;
using ir::Value;

// An operator's other name.
Values as_unary(Context& c, const char* name) { return {c.build.unary(name, c.tensor(0))}; }

// PyTorch's floating point functions of integers work in float32.
Value* as_float(Context& c, Value* x) {
  return c.build.to_dtype(x, ir::to_floating_point(x->dtype()));
}

// Integers are whole; the kernels would take them through double.
Values rounded(Context& c) {
  if (is_floating_point(c.tensor(0)->dtype())) return {};
  return {c.tensor(0)};
}

Values square(Context& c) {
  Value* x = c.tensor(0);
  // The square of a bool is an integer.
  x = c.build.to_dtype(x, c.dtype());
  return {c.build.mul(x, x)};
}

// -0.0 is negative: its reciprocal is less than 0.
Values signbit(Context& c) {
  Value* x = c.tensor(0);
  Value* negative = c.build.lt(x, 0);
  if (!is_floating_point(x->dtype())) return {negative};
  Value* negative_zero =
      c.build.logical_and(c.build.eq(x, 0), c.build.lt(c.build.reciprocal(x), 0));
  return {c.build.logical_or(negative, negative_zero)};
}

// 0 for NaN, where the kernel keeps it.
Values sign(Context& c) {
  Value* x = c.tensor(0);
  if (!is_floating_point(x->dtype())) {
    return c.op() == "aten.sign.default" ? Values() : as_unary(c, "sign");
  }
  return {c.build.sub(c.build.to_dtype(c.build.gt(x, 0), x->dtype()),
                      c.build.to_dtype(c.build.lt(x, 0), x->dtype()))};
}

Values isfinite(Context& c) {
  Value* x = c.tensor(0);
  return {c.build.logical_not(c.build.logical_or(c.build.isnan(x), c.build.isinf(x)))};
}

Values is_infinity(Context& c, double which) {
  Value* x = c.tensor(0);
  if (!is_floating_point(x->dtype())) return {c.build.full_like(x, false, DType::kBool)};
  return {c.build.eq(x, which)};
}

double largest(DType dtype) {
  switch (dtype) {
    case DType::kFloat16:
      return 65504.0;
    case DType::kBFloat16:
      return 0x1.fep127;
    case DType::kFloat64:
      return std::numeric_limits<double>::max();
    default:
      return std::numeric_limits<float>::max();
  }
}

Values nan_to_num(Context& c) {
  Value* x = c.tensor(0);
  if (!is_floating_point(x->dtype())) return {x};
  const double limit = largest(x->dtype());
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = c.has(1) ? c.real(1) : 0.0;
  const double above = c.has(2) ? c.real(2) : limit;
  const double below = c.has(3) ? c.real(3) : -limit;
  Value* result = c.build.masked_fill(x, c.build.isnan(x), nan);
  result = c.build.masked_fill(result, c.build.eq(x, infinity), above);
  return {c.build.masked_fill(result, c.build.eq(x, -infinity), below)};
}

Values scaled(Context& c, double factor) { return {c.build.mul(as_float(c, c.tensor(0)), factor)}; }

Values round_decimals(Context& c) {
  Value* x = c.tensor(0);
  const int64_t decimals = c.has(1) ? c.constant(1) : 0;
  if (decimals == 0 || !is_floating_point(x->dtype())) return {c.build.round(x)};
  const double scale = std::pow(10.0, static_cast<double>(decimals > 0 ? decimals : -decimals));
  if (decimals > 0) return {c.build.div(c.build.round(c.build.mul(x, scale)), scale)};
  return {c.build.mul(c.build.round(c.build.div(x, scale)), scale)};
}

Values sinc(Context& c) {
  Value* x = c.build.mul(as_float(c, c.tensor(0)), std::numbers::pi);
  Value* quotient = c.build.div(c.build.sin(x), x);
  return {c.build.masked_fill(quotient, c.build.eq(x, 0), 1.0)};
}

// The kernel takes neither half precision nor, as an eps, nothing but a number. PyTorch rounds each
// step to the type, the bounds among them.
Values logit(Context& c) {
  Value* x = as_float(c, c.tensor(0));
  if (c.has(1)) {
    const double eps = rounded_to(c.real(1), x->dtype());
    x = c.build.clamp(x, eps, rounded_to(1.0 - eps, x->dtype()));
  }
  return {c.build.log(c.build.div(x, c.build.rsub(x, 1.0)))};
}

// PyTorch wraps a bound that an integer type can't hold; the kernel refuses it.
std::optional<Scalar> bound(Context& c, size_t i, DType dtype) {
  if (!c.has(i)) return std::nullopt;
  Scalar value = c.scalar(i);
  const auto* integer = std::get_if<SymInt>(&value);
  if (!integer || !integer->constant()) return value;
  return SymInt(ir::wrapped(*integer->constant(), dtype));
}

// Of a number: what only running gives is none.
bool is_nan(Context& c, size_t i) {
  const auto* number = c.has(i) ? std::get_if<double>(&c.arg(i)) : nullptr;
  return number && std::isnan(*number);
}

Values clamp(Context& c, size_t min, size_t max) {
  Value* x = c.build.to_dtype(c.tensor(0), c.dtype());
  const auto low = min ? bound(c, min, x->dtype()) : std::nullopt;
  const auto high = max ? bound(c, max, x->dtype()) : std::nullopt;
  if (!low && !high) return {x};
  if (is_nan(c, min) || is_nan(c, max)) {
    return {c.build.full_like(x, std::numeric_limits<double>::quiet_NaN())};
  }
  ir::Argument none = ir::None{};
  return {
      c.build.call("aten.clamp.default",
                   {x, low ? ir::to_argument(*low) : none, high ? ir::to_argument(*high) : none},
                   c.dtype(), c.sizes())};
}

// Bounds that the type can hold are the kernel's own.
Values clamp_default(Context& c) {
  if (is_nan(c, 1) || is_nan(c, 2)) return clamp(c, 1, 2);
  if (c.tensor(0)->dtype() == c.dtype() && !is_integral(c.dtype())) return {};
  bool same = c.tensor(0)->dtype() == c.dtype();
  for (const size_t i : {1, 2}) {
    if (!c.has(i)) continue;
    const auto value = bound(c, i, c.dtype());
    same = same && value && ir::to_argument(*value) == c.arg(i);
  }
  if (same) return {};
  return clamp(c, 1, 2);
}

Values clamp_by_tensor(Context& c, bool is_min) {
  Value* x = c.tensor(0);
  Value* limit = c.tensor(1);
  return {is_min ? c.build.maximum(x, limit) : c.build.minimum(x, limit)};
}

Values to_result_type(Context& c) { return {c.build.to_dtype(c.tensor(0), c.dtype())}; }

// What to_dtype makes stays.
Values to_copy(Context& c) {
  const bool plain = !c.has(2) && !c.has(3) && !c.has(4) && !c.has(6);
  if (plain && c.dtype(1) == c.dtype() && c.tensor(0)->dtype() != c.dtype()) return {};
  return to_result_type(c);
}

constexpr Entry kUnaryRules[] = {
    {"aten.square.default", square},
    {"aten.trunc.default aten.floor.default aten.ceil.default aten.round.default", rounded},
    {"aten.exp2.default aten.special_exp2.default",
     [](Context& c) -> Values { return {c.build.pow(Scalar(2.0), as_float(c, c.tensor(0)))}; }},
    {"aten.special_expit.default", [](Context& c) { return as_unary(c, "sigmoid"); }},
    {"aten.special_erf.default", [](Context& c) { return as_unary(c, "erf"); }},
    {"aten.special_expm1.default", [](Context& c) { return as_unary(c, "expm1"); }},
    {"aten.special_log1p.default", [](Context& c) { return as_unary(c, "log1p"); }},
    {"aten.arccos.default", [](Context& c) { return as_unary(c, "acos"); }},
    {"aten.arccosh.default", [](Context& c) { return as_unary(c, "acosh"); }},
    {"aten.arcsin.default", [](Context& c) { return as_unary(c, "asin"); }},
    {"aten.arcsinh.default", [](Context& c) { return as_unary(c, "asinh"); }},
    {"aten.arctan.default", [](Context& c) { return as_unary(c, "atan"); }},
    {"aten.arctanh.default", [](Context& c) { return as_unary(c, "atanh"); }},
    {"aten.absolute.default", [](Context& c) { return as_unary(c, "abs"); }},
    {"aten.negative.default", [](Context& c) { return as_unary(c, "neg"); }},
    {"aten.sign.default aten.sgn.default", sign},
    {"aten.fix.default", [](Context& c) { return as_unary(c, "trunc"); }},
    {"aten.frac.default",
     [](Context& c) -> Values { return {c.build.sub(c.tensor(0), c.build.trunc(c.tensor(0)))}; }},
    {"aten.signbit.default", signbit},
    {"aten.isfinite.default", isfinite},
    {"aten.isposinf.default",
     [](Context& c) { return is_infinity(c, std::numeric_limits<double>::infinity()); }},
    {"aten.isneginf.default",
     [](Context& c) { return is_infinity(c, -std::numeric_limits<double>::infinity()); }},
    {"aten.nan_to_num.default", nan_to_num},
    {"aten.deg2rad.default", [](Context& c) { return scaled(c, std::numbers::pi / 180); }},
    {"aten.rad2deg.default", [](Context& c) { return scaled(c, 180 / std::numbers::pi); }},
    {"aten.round.decimals aten.special_round.default", round_decimals},
    {"aten.sinc.default aten.special_sinc.default", sinc},
    {"aten.logit.default aten.special_logit.default", logit},
    {"aten.clamp.default", clamp_default},
    {"aten.clip.default", [](Context& c) { return clamp(c, 1, 2); }},
    {"aten.clamp_min.default", [](Context& c) { return clamp(c, 1, 0); }},
    {"aten.clamp_max.default", [](Context& c) { return clamp(c, 0, 1); }},
    {"aten.clamp_min.Tensor", [](Context& c) { return clamp_by_tensor(c, true); }},
    {"aten.clamp_max.Tensor", [](Context& c) { return clamp_by_tensor(c, false); }},
    {"aten.clip.Tensor",
     [](Context& c) -> Values {
       return {c.build.clamp_tensor(c.tensor(0), c.tensor_or_null(1), c.tensor_or_null(2))};
     }},
    {"aten.to.dtype aten.to.dtype_layout aten.to.device aten.to.other aten.type_as.default",
     to_result_type},
    {"aten._to_copy.default", to_copy},
    {"prims.convert_element_type.default", to_result_type},
};

}  // namespace

std::span<const Entry> unary_rules() { return kUnaryRules; }

}  // namespace slipway::passes::decompositions
