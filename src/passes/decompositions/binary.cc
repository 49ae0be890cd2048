// Functions of two or more tensors, element by element, and of tensors and numbers.
#include <cmath>
#include <limits>
#include <numbers>

#include "ir/promotion.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::Argument;
using ir::Operand;
using ir::Scalar;
using ir::SymInt;
using ir::Value;

// The same arguments for another operator.
Values rename(Context& c, const char* op) {
  return {c.build.call(op, c.node().args(), c.dtype(), c.sizes())};
}

// PyTorch writes numbers where a tensor is expected. They stay numbers where a kernel takes them.
Values with_number(Context& c, const char* tensor_op, const char* scalar_op) {
  const char* op = c.is_tensor(1) ? tensor_op : scalar_op;
  return c.op() == op ? Values() : rename(c, op);
}

#define WITH_NUMBER(tensor_op, scalar_op) \
  [](Context& c) { return with_number(c, tensor_op, scalar_op); }

// The kernels shift as C++ does, which leaves open what counts below 0 or past the type's bits do:
// PyTorch shifts all bits out.
Values shift(Context& c, bool left) {
  const char* const tensor_op =
      left ? "aten.bitwise_left_shift.Tensor" : "aten.bitwise_right_shift.Tensor";
  const char* const scalar_op =
      left ? "aten.bitwise_left_shift.Tensor_Scalar" : "aten.bitwise_right_shift.Tensor_Scalar";
  const auto bits = static_cast<int64_t>(8 * dtype_size(c.dtype()));
  const auto* number = std::get_if<ir::SymInt>(&c.arg(1));
  const auto known = number ? number->constant() : std::nullopt;
  const bool is_kept = c.is_tensor(1) && c.tensor(1)->producer() != nullptr &&
                       c.tensor(1)->producer()->op() == "aten.clamp.default";
  if (c.is_tensor(0) && (is_kept || (known && *known >= 0 && *known < bits))) {
    return with_number(c, tensor_op, scalar_op);
  }
  Value* x = c.build.to_dtype(c.tensor(0), c.dtype());
  Value* count = c.build.to_dtype(c.tensor(1), c.dtype());
  const auto by = [&](Value* value, Value* by_count, const std::vector<SymInt>& sizes) {
    return c.build.call(tensor_op, {value, by_count}, c.dtype(), sizes);
  };
  const auto kept = [&](Value* value) { return c.build.clamp(value, SymInt(0), SymInt(bits - 1)); };
  const bool has_sign = c.dtype() != DType::kUInt8;
  Value* last = c.build.full({}, SymInt(bits - 1), c.dtype());
  Value* all =
      left || !has_sign ? c.build.zeros(x->sizes(), c.dtype()) : by(x, kept(last), x->sizes());
  if (known) return {all};
  Value* is_out = c.build.logical_or(c.build.lt(count, SymInt(0)), c.build.ge(count, SymInt(bits)));
  return {c.build.where(is_out, all, by(x, kept(count), c.sizes()))};
}

// The kernel gives the tensor's own type.
Values add_number(Context& c) {
  Value* x = c.tensor(0);
  if (x->dtype() == c.dtype()) return {};
  return {c.build.call("aten.add.Scalar", {c.build.to_dtype(x, c.dtype()), c.arg(1), c.arg(2)},
                       c.dtype(), c.sizes())};
}

// The kernel computes the remainder in float32.
Value* float64_remainder(Context& c) {
  Value* x = c.build.to_dtype(c.tensor(0), DType::kFloat64);
  Value* y = c.build.to_dtype(c.tensor(1), DType::kFloat64);
  Value* rest = c.build.call("aten.fmod.Tensor", {x, y}, c.dtype(), c.sizes());
  Value* differs = c.build.ne(c.build.lt(rest, 0), c.build.lt(y, 0));
  differs = c.build.logical_and(differs, c.build.ne(rest, 0));
  return c.build.where(differs, c.build.add(rest, y), rest);
}

// The kernel gives integers the sign of the dividend, PyTorch that of the divisor.
Values remainder(Context& c) {
  if (!c.is_tensor(0)) {
    return {c.build.remainder(c.build.scalar_tensor(c.scalar(0), c.dtype()), c.tensor(1))};
  }
  if (c.dtype() == DType::kFloat64) return {float64_remainder(c)};
  if (is_floating_point(c.dtype())) {
    return with_number(c, "aten.remainder.Tensor", "aten.remainder.Scalar");
  }
  const bool by_tensor = c.is_tensor(1);
  Value* x = c.build.to_dtype(c.tensor(0), c.dtype());
  Value* quotient = c.build.call(by_tensor ? "aten.div.Tensor_mode" : "aten.div.Scalar_mode",
                                 {x, c.arg(1), std::string("floor")}, c.dtype(), c.sizes());
  Value* multiple = c.build.call(by_tensor ? "aten.mul.Tensor" : "aten.mul.Scalar",
                                 {quotient, c.arg(1)}, c.dtype(), c.sizes());
  return {c.build.sub(x, multiple)};
}

Values rsub_tensor(Context& c) {
  if (!c.is_tensor(1)) return rename(c, "aten.rsub.Scalar");
  return {c.build.call("aten.sub.Tensor", {c.arg(1), c.arg(0), c.arg(2)}, c.dtype(), c.sizes())};
}

// The kernels divide integers in double unless they round down.
bool divides_in_double(Context& c) { return c.dtype() == DType::kInt64; }

Operand operand(Context& c, size_t i) {
  return c.is_tensor(i) ? Operand(c.tensor(i)) : Operand(c.scalar(i));
}

// Rounded down, and then up where a negative quotient has a rest.
Values truncated_quotient(Context& c) {
  Value* x = c.build.to_dtype(c.tensor(0), c.dtype());
  Value* quotient = c.build.div_mode(x, operand(c, 1), "floor");
  Value* rest = c.build.sub(x, c.build.mul(quotient, operand(c, 1)));
  Value* below = c.build.logical_and(c.build.lt(quotient, 0), c.build.ne(rest, 0));
  return {c.build.add(quotient, c.build.to_dtype(below, c.dtype()))};
}

Values fmod(Context& c) {
  if (!divides_in_double(c)) return with_number(c, "aten.fmod.Tensor", "aten.fmod.Scalar");
  Value* x = c.build.to_dtype(c.tensor(0), c.dtype());
  Value* quotient = c.build.div_mode(x, operand(c, 1), "trunc");
  return {c.build.sub(x, c.build.mul(quotient, operand(c, 1)))};
}

// The kernel gives an infinity for whatever is divided by 0, and leaves what rounding adds to the
// whole number and the sign of a zero.
Value* floating_floor(Context& c) {
  Value* x = c.build.to_dtype(c.tensor(0), c.dtype());
  const Operand divisor = operand(c, 1);
  Value* exact = c.build.div(x, divisor);
  Value* rest = c.build.call(c.is_tensor(1) ? "aten.fmod.Tensor" : "aten.fmod.Scalar",
                             {x, c.arg(1)}, c.dtype(), c.sizes());
  Value* whole = c.build.round(c.build.div(c.build.sub(x, rest), divisor));
  // Down, where the rest has another sign than the divisor.
  Value* below = c.is_tensor(1) ? c.build.logical_and(
                                      c.build.ne(c.build.lt(c.tensor(1), 0), c.build.lt(rest, 0)),
                                      c.build.ne(rest, 0))
                 : c.real(1) < 0 ? c.build.gt(rest, 0)
                                 : c.build.lt(rest, 0);
  whole = c.build.sub(whole, c.build.to_dtype(below, c.dtype()));
  whole = c.build.where(c.build.eq(whole, 0), c.build.mul(exact, 0.0), whole);
  if (c.is_tensor(1)) return c.build.where(c.build.eq(c.tensor(1), 0), exact, whole);
  return c.real(1) == 0 ? exact : whole;
}

Values floor_divide(Context& c) {
  if (is_floating_point(c.dtype())) return {floating_floor(c)};
  if (c.is_tensor(1) && c.op() == "aten.floor_divide.default") return {};
  return {c.build.call("aten.div.Scalar_mode", {c.arg(0), c.arg(1), std::string("floor")},
                       c.dtype(), c.sizes())};
}

Values div_mode(Context& c) {
  if (c.has(2) && c.text(2) == "floor" && is_floating_point(c.dtype())) {
    return {floating_floor(c)};
  }
  if (c.has(2) && c.text(2) == "trunc" && divides_in_double(c)) return truncated_quotient(c);
  if (c.has(2)) {
    return with_number(c, "aten.div.Tensor_mode", "aten.div.Scalar_mode");
  }
  const char* op = c.is_tensor(1) ? "aten.div.Tensor" : "aten.div.Scalar";
  return {c.build.call(op, {c.arg(0), c.arg(1)}, c.dtype(), c.sizes())};
}

// Integers are multiplied, and wrap; the kernels compute in double.
Value* integer_power(Context& c, Value* base, int64_t exponent) {
  Value* result = nullptr;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result = result ? c.build.mul(result, base) : base;
    if (exponent > 1) base = c.build.mul(base, base);
  }
  return result ? result : c.build.full_like(base, SymInt(1));
}

// How many bits of an exponent count; a negative one is a case of its own.
int exponent_bits(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return 1;
    case DType::kUInt8:
      return 8;
    case DType::kInt8:
      return 7;
    case DType::kInt16:
      return 15;
    case DType::kInt32:
      return 31;
    default:
      return 63;
  }
}

// A factor for each bit of the exponent.
Value* integer_power(Context& c, Value* base, Value* exponent) {
  if (exponent->dtype() == DType::kBool) exponent = c.build.to_dtype(exponent, DType::kUInt8);
  Value* one = c.build.scalar_tensor(SymInt(1), c.dtype());
  Value* square = base;
  Value* result = nullptr;
  const int bits = exponent_bits(exponent->dtype());
  for (int i = 0; i < bits; ++i) {
    if (i > 0) square = c.build.mul(square, square);
    Value* bit = c.build.call("aten.bitwise_and.Scalar", {exponent, SymInt(int64_t{1} << i)},
                              exponent->dtype(), exponent->sizes());
    Value* factor = c.build.where(c.build.ne(bit, 0), square, one);
    result = result ? c.build.mul(result, factor) : factor;
  }
  if (exponent->dtype() == DType::kUInt8) return result;
  // The reciprocal of 1 and of -1 is an integer; of others, PyTorch gives 0.
  Value* unit = c.build.logical_or(c.build.eq(base, 1), c.build.eq(base, -1));
  Value* vanishes = c.build.logical_and(c.build.lt(exponent, 0), c.build.logical_not(unit));
  return c.build.where(vanishes, c.build.scalar_tensor(SymInt(0), c.dtype()), result);
}

// The exponents that PyTorch treats specially, for the same results at a fraction of the cost.
Values pow_number(Context& c) {
  Value* x = c.tensor(0);
  const auto exponent = ir::to_scalar(c.arg(1));
  const bool fixed = exponent && !(std::holds_alternative<SymInt>(*exponent) &&
                                   !std::get<SymInt>(*exponent).constant());
  if (is_integral(c.dtype())) {
    x = c.build.to_dtype(x, c.dtype());
    const auto* number = exponent ? std::get_if<SymInt>(&*exponent) : nullptr;
    const auto known = number ? number->constant() : std::nullopt;
    if (known && *known >= 0) return {integer_power(c, x, *known)};
    return {integer_power(c, x, c.build.scalar_tensor(*exponent, DType::kInt64))};
  }
  if (fixed && x->dtype() == c.dtype() && x->dtype() != DType::kBool) {
    const double e = ir::to_double(*exponent);
    if (e == 1) return {x};
    if (e == 2) return {c.build.mul(x, x)};
    if (e == 3) return {c.build.mul(c.build.mul(x, x), x)};
    if (is_floating_point(x->dtype())) {
      if (e == 0.5) return {c.build.sqrt(x)};
      if (e == -0.5) return {c.build.rsqrt(x)};
      if (e == -1) return {c.build.reciprocal(x)};
    }
  }
  if (c.op() == "aten.pow.Tensor_Scalar") return {};
  return rename(c, "aten.pow.Tensor_Scalar");
}

Values pow_tensor(Context& c) {
  if (!c.is_tensor(1)) return pow_number(c);
  if (!is_integral(c.dtype())) return {};
  return {integer_power(c, c.build.to_dtype(c.tensor(0), c.dtype()), c.tensor(1))};
}

// A number to the power of a tensor.
Values pow_of_number(Context& c) {
  if (!is_integral(c.dtype())) return {};
  return {integer_power(c, c.build.scalar_tensor(c.scalar(0), c.dtype()), c.tensor(1))};
}

Values float_power(Context& c) {
  const auto convert = [&](size_t i) {
    return c.is_tensor(i) ? Argument(c.build.to_dtype(c.tensor(i), c.dtype())) : c.arg(i);
  };
  const char* op = !c.is_tensor(0)  ? "aten.pow.Scalar"
                   : c.is_tensor(1) ? "aten.pow.Tensor_Tensor"
                                    : "aten.pow.Tensor_Scalar";
  return {c.build.call(op, {convert(0), convert(1)}, c.dtype(), c.sizes())};
}

// The operand that is not NaN, as C's fmax.
Values fmax(Context& c, bool greater) {
  Value* a = c.tensor(0);
  Value* b = c.tensor(1);
  Value* both = greater ? c.build.maximum(a, b) : c.build.minimum(a, b);
  if (!is_floating_point(c.dtype())) return {both};
  Value* without_a = c.build.where(c.build.isnan(a), b, both);
  return {c.build.where(c.build.isnan(b), a, without_a)};
}

// Tensors of the result's type, numbers as 0-dim ones.
Value* branch(Context& c, size_t i) {
  if (c.is_tensor(i)) return c.build.to_dtype(c.tensor(i), c.dtype());
  return c.build.scalar_tensor(c.scalar(i), c.dtype());
}

Values where(Context& c) {
  Value* condition = c.tensor(0);
  const auto has_type = [&](size_t i) {
    return c.is_tensor(i) && c.tensor(i)->dtype() == c.dtype();
  };
  if (condition->dtype() == DType::kBool && has_type(1) && has_type(2) &&
      c.op() == "aten.where.self") {
    return {};
  }
  if (condition->dtype() != DType::kBool) condition = c.build.ne(condition, 0);
  return {c.build.call("aten.where.self", {condition, branch(c, 1), branch(c, 2)}, c.dtype(),
                       c.sizes())};
}

Values masked_fill_tensor(Context& c) {
  Value* value = c.build.to_dtype(c.tensor(2), c.dtype());
  return {c.build.call("aten.where.self", {c.tensor(1), value, c.tensor(0)}, c.dtype(), c.sizes())};
}

Value* floating(Context& c, size_t i) { return c.build.to_dtype(c.tensor(i), c.dtype()); }

// 0 where x is 0, unless y is NaN.
Values xlogy(Context& c, bool plus_one) {
  Value* x = floating(c, 0);
  Value* y = floating(c, 1);
  Value* product = c.build.mul(x, plus_one ? c.build.log1p(y) : c.build.log(y));
  Value* zero = c.build.logical_and(c.build.eq(x, 0), c.build.logical_not(c.build.isnan(y)));
  return {c.build.masked_fill(product, zero, 0)};
}

// As C's: the squares don't overflow, and beside an infinity NaN does not count.
Values hypot(Context& c) {
  Value* a = c.build.abs(c.build.to_dtype(c.tensor(0), DType::kFloat64));
  Value* b = c.build.abs(c.build.to_dtype(c.tensor(1), DType::kFloat64));
  Value* infinite = c.build.logical_or(c.build.isinf(a), c.build.isinf(b));
  Value* unit = nullptr;
  if (c.dtype() == DType::kFloat64) {
    unit = c.build.maximum(a, b);
    unit = c.build.masked_fill(unit, c.build.eq(unit, 0), 1.0);
    a = c.build.div(a, unit);
    b = c.build.div(b, unit);
  }
  Value* length = c.build.sqrt(c.build.add(c.build.mul(a, a), c.build.mul(b, b)));
  if (unit) length = c.build.mul(length, unit);
  length = c.build.masked_fill(length, infinite, std::numeric_limits<double>::infinity());
  return {c.build.to_dtype(length, c.dtype())};
}

// Two equal infinities have no difference.
Values logaddexp(Context& c, double base) {
  Value* a = floating(c, 0);
  Value* b = floating(c, 1);
  Value* most = c.build.maximum(a, b);
  Value* distance = c.build.neg(c.build.abs(c.build.sub(a, b)));
  const double ln = std::log(base);
  Value* tail = base == std::numbers::e
                    ? c.build.log1p(c.build.exp(distance))
                    : c.build.div(c.build.log1p(c.build.exp(c.build.mul(distance, ln))), ln);
  Value* infinite = c.build.logical_and(c.build.isinf(a), c.build.eq(a, b));
  return {c.build.where(infinite, a, c.build.add(most, tail))};
}

Values heaviside(Context& c) {
  Value* x = c.tensor(0);
  Value* step = c.build.to_dtype(c.build.gt(x, 0), x->dtype());
  return {c.build.where(c.build.eq(x, 0), c.tensor(1), step)};
}

Values copysign(Context& c) {
  Value* magnitude = c.build.abs(floating(c, 0));
  if (!c.is_tensor(1)) {
    return {std::signbit(c.real(1)) ? c.build.neg(magnitude) : magnitude};
  }
  Value* sign =
      c.build.call("aten.signbit.default", {c.tensor(1)}, DType::kBool, c.tensor(1)->sizes());
  return {c.build.where(sign, c.build.neg(magnitude), magnitude)};
}

// PyTorch's formula, which is exact at both ends.
Values lerp(Context& c) {
  Value* start = c.tensor(0);
  Value* end = c.tensor(1);
  Value* difference = c.build.sub(end, start);
  if (!c.is_tensor(2)) {
    const double weight = c.real(2);
    if (std::abs(weight) < 0.5) return {c.build.add(start, c.build.mul(difference, weight))};
    return {c.build.sub(end, c.build.mul(difference, 1 - weight))};
  }
  Value* weight = c.tensor(2);
  Value* low = c.build.add(start, c.build.mul(difference, weight));
  Value* high = c.build.sub(end, c.build.mul(difference, c.build.rsub(weight, 1.0)));
  return {c.build.where(c.build.lt(c.build.abs(weight), 0.5), low, high)};
}

Values add_product(Context& c, bool divide) {
  Value* a = c.tensor(1);
  Value* b = c.tensor(2);
  Value* term = divide ? c.build.div(a, b) : c.build.mul(a, b);
  Scalar value = c.has(3) ? c.scalar(3) : Scalar(SymInt(1));
  // PyTorch makes the number an integer beside integers.
  if (const auto* real = std::get_if<double>(&value); real && is_integral(c.dtype())) {
    value = SymInt(static_cast<int64_t>(*real));
  }
  return {c.build.add(c.tensor(0), term, value)};
}

Values isclose(Context& c) {
  Value* a = c.tensor(0);
  Value* b = c.tensor(1);
  Value* close = c.build.eq(a, b);
  // As PyTorch does: of integers, the second becomes float32, and bools do both.
  if (a->dtype() == DType::kBool) a = c.build.to_dtype(a, DType::kFloat32);
  if (!is_floating_point(b->dtype())) b = c.build.to_dtype(b, DType::kFloat32);
  if (c.flag(4) && is_floating_point(a->dtype())) {
    close = c.build.logical_or(close, c.build.logical_and(c.build.isnan(a), c.build.isnan(b)));
  }
  const double rtol = c.real(2);
  const double atol = c.real(3);
  Value* allowed = c.build.add(c.build.mul(c.build.abs(b), rtol), atol);
  Value* error = c.build.abs(c.build.sub(a, b));
  Value* finite = c.build.logical_not(c.build.isinf(error));
  return {c.build.logical_or(close, c.build.logical_and(finite, c.build.le(error, allowed)))};
}

Values ldexp(Context& c) {
  return {c.build.mul(floating(c, 0), c.build.pow(Scalar(2.0), floating(c, 1)))};
}

// Of numbers, not tensors. ExecuTorch's primitives multiply, and that is all: other powers than a
// few are those of tensors.
Values power_of_numbers(Context& c) {
  constexpr int64_t kMostFactors = 64;
  const auto* integer = std::get_if<SymInt>(&c.arg(1));
  const auto known = integer ? integer->constant() : std::nullopt;
  if (known && *known >= 1 && *known <= kMostFactors) return {};
  if (c.output_count() != 1 || c.output()->kind() != ir::ValueKind::kSymFloat) return {};
  const auto tensor = [&](size_t i) {
    return c.build.call("aten.full.default", {std::vector<SymInt>(), c.arg(i), DType::kFloat64},
                        DType::kFloat64, {});
  };
  ir::Node* item =
      c.build.node("aten._local_scalar_dense.default", {c.build.pow(tensor(0), tensor(1))});
  return {c.build.graph().add_output(item, ir::ValueKind::kSymFloat, 0)};
}

// The next float32 towards the other number: float64 holds what is 5/8 to 5/4 of a step away from
// it, which rounds to that, or for the least numbers one of their steps.
Values nextafter(Context& c) {
  auto& b = c.build;
  if (c.dtype() != DType::kFloat32) return c.unsupported("of float32 alone: convert to it first");
  constexpr double kStep = 0x1.4p-24;
  constexpr double kLeast = 0x1p-149;
  constexpr double kMost = std::numeric_limits<float>::max();
  Value* x = b.expand(c.tensor(0), c.sizes());
  Value* to = c.tensor(1);
  Value* wide = b.to_dtype(x, DType::kFloat64);
  Value* step = b.clamp(b.mul(b.abs(wide), kStep), kLeast, std::nullopt);
  step = b.where(b.gt(to, x), step, b.neg(step));
  Value* next = b.to_dtype(b.add(wide, step), DType::kFloat32);
  // From an infinity on, it is the largest number.
  next = b.where(b.isinf(x), b.mul(b.sign(x), kMost), next);
  // A zero keeps the sign of what it was made of.
  next = b.where(b.eq(next, 0), b.mul(x, 0.0), next);
  Value* is_nan = b.logical_or(b.isnan(x), b.isnan(to));
  next = b.where(is_nan, b.add(x, to), next);
  return {b.where(b.eq(x, to), to, next)};
}

constexpr Entry kBinaryRules[] = {
    {"aten.add.Tensor", WITH_NUMBER("aten.add.Tensor", "aten.add.Scalar")},
    {"aten.sub.Tensor aten.subtract.Tensor aten.subtract.Scalar",
     WITH_NUMBER("aten.sub.Tensor", "aten.sub.Scalar")},
    {"aten.mul.Tensor aten.multiply.Tensor aten.multiply.Scalar",
     WITH_NUMBER("aten.mul.Tensor", "aten.mul.Scalar")},
    {"aten.div.Tensor aten.true_divide.Tensor aten.divide.Tensor aten.true_divide.Scalar "
     "aten.divide.Scalar",
     WITH_NUMBER("aten.div.Tensor", "aten.div.Scalar")},
    {"aten.fmod.Tensor aten.fmod.Scalar", fmod},
    {"aten.remainder.Tensor aten.remainder.Scalar aten.remainder.Scalar_Tensor", remainder},
    {"aten.eq.Tensor", WITH_NUMBER("aten.eq.Tensor", "aten.eq.Scalar")},
    {"aten.ne.Tensor aten.not_equal.Tensor aten.not_equal.Scalar",
     WITH_NUMBER("aten.ne.Tensor", "aten.ne.Scalar")},
    {"aten.lt.Tensor aten.less.Tensor aten.less.Scalar",
     WITH_NUMBER("aten.lt.Tensor", "aten.lt.Scalar")},
    {"aten.le.Tensor aten.less_equal.Tensor aten.less_equal.Scalar",
     WITH_NUMBER("aten.le.Tensor", "aten.le.Scalar")},
    {"aten.gt.Tensor aten.greater.Tensor aten.greater.Scalar",
     WITH_NUMBER("aten.gt.Tensor", "aten.gt.Scalar")},
    {"aten.ge.Tensor aten.greater_equal.Tensor aten.greater_equal.Scalar",
     WITH_NUMBER("aten.ge.Tensor", "aten.ge.Scalar")},
    {"aten.bitwise_and.Tensor aten.__and__.Tensor aten.__and__.Scalar",
     WITH_NUMBER("aten.bitwise_and.Tensor", "aten.bitwise_and.Scalar")},
    {"aten.bitwise_or.Tensor aten.__or__.Tensor aten.__or__.Scalar",
     WITH_NUMBER("aten.bitwise_or.Tensor", "aten.bitwise_or.Scalar")},
    {"aten.bitwise_xor.Tensor aten.__xor__.Tensor aten.__xor__.Scalar",
     WITH_NUMBER("aten.bitwise_xor.Tensor", "aten.bitwise_xor.Scalar")},
    {"aten.bitwise_left_shift.Tensor aten.bitwise_left_shift.Scalar_Tensor aten.__lshift__.Tensor "
     "aten.__lshift__.Scalar",
     [](Context& c) { return shift(c, true); }},
    {"aten.bitwise_right_shift.Tensor aten.bitwise_right_shift.Scalar_Tensor "
     "aten.__rshift__.Tensor aten.__rshift__.Scalar",
     [](Context& c) { return shift(c, false); }},
    {"aten.div.Tensor_mode aten.div.Scalar_mode aten.divide.Tensor_mode aten.divide.Scalar_mode",
     div_mode},
    {"aten.add.Scalar", add_number},
    {"aten.rsub.Tensor", rsub_tensor},
    {"aten.floor_divide.default aten.floor_divide.Scalar", floor_divide},
    {"aten.pow.Tensor_Scalar", pow_number},
    {"aten.pow.Tensor_Tensor", pow_tensor},
    {"aten.pow.Scalar", pow_of_number},
    {"_operator.pow", power_of_numbers},
    {"aten.float_power.Tensor_Tensor aten.float_power.Tensor_Scalar aten.float_power.Scalar",
     float_power},
    {"aten.max.other", [](Context& c) { return rename(c, "aten.maximum.default"); }},
    {"aten.min.other", [](Context& c) { return rename(c, "aten.minimum.default"); }},
    {"aten.arctan2.default", [](Context& c) { return rename(c, "aten.atan2.default"); }},
    {"aten.fmax.default", [](Context& c) { return fmax(c, true); }},
    {"aten.fmin.default", [](Context& c) { return fmax(c, false); }},
    {"aten.where.self aten.where.ScalarSelf aten.where.ScalarOther aten.where.Scalar", where},
    {"aten.masked_fill.Tensor", masked_fill_tensor},
    {"aten.xlogy.Tensor aten.special_xlogy.default aten.xlogy.Scalar_Other aten.xlogy.Scalar_Self "
     "aten.special_xlogy.other_scalar aten.special_xlogy.self_scalar",
     [](Context& c) { return xlogy(c, false); }},
    {"aten.special_xlog1py.default aten.special_xlog1py.other_scalar "
     "aten.special_xlog1py.self_scalar",
     [](Context& c) { return xlogy(c, true); }},
    {"aten.hypot.default", hypot},
    {"aten.logaddexp.default", [](Context& c) { return logaddexp(c, std::numbers::e); }},
    {"aten.logaddexp2.default", [](Context& c) { return logaddexp(c, 2.0); }},
    {"aten.heaviside.default", heaviside},
    {"aten.copysign.Tensor aten.copysign.Scalar", copysign},
    {"aten.lerp.Scalar aten.lerp.Tensor", lerp},
    {"aten.addcmul.default", [](Context& c) { return add_product(c, false); }},
    {"aten.addcdiv.default", [](Context& c) { return add_product(c, true); }},
    {"aten.isclose.default", isclose},
    {"aten.ldexp.Tensor", ldexp},
    {"aten.nextafter.default", nextafter},
};
#undef WITH_NUMBER

}  // namespace

std::span<const Entry> binary_rules() { return kBinaryRules; }

}  // namespace slipway::passes::decompositions
