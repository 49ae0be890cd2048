#include <cmath>
#include <limits>
#include <numbers>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "ir/promotion.h"
#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

// The type in which PyTorch computes on arguments i and j.
DType common_type(Context& c, size_t i, size_t j) {
  ir::ResultType type;
  for (size_t k : {i, j}) {
    const ir::Argument& argument = c.arg(k);
    if (c.is_tensor(k)) {
      type.add(c.type(k));
    } else if (const auto* value = std::get_if<ir::Value*>(&argument); value && *value) {
      type.add((*value)->kind() == ir::ValueKind::kSymBool ? ir::ScalarKind::kBool
                                                           : ir::ScalarKind::kFloat);
    } else if (std::holds_alternative<double>(argument)) {
      type.add(ir::ScalarKind::kFloat);
    } else if (std::holds_alternative<bool>(argument)) {
      type.add(ir::ScalarKind::kBool);
    } else {
      type.add(ir::ScalarKind::kInt);
    }
  }
  return type.get();
}

struct Operands {
  Ref a;
  Ref b;
};

Operands operands(Context& c, DType dtype) { return {c.operand(0, dtype), c.operand(1, dtype)}; }
Operands operands(Context& c) { return operands(c, common_type(c, 0, 1)); }

// alpha is argument 2, 1 where it is left out.
Ref scaled(Context& c, const Ref& x) {
  if (!c.has(2) || c.number(2) == 1.0) return x;
  return c.mul(x, c.operand(2, common_type(c, 0, 1)));
}

void add(Context& c) {
  auto [a, b] = operands(c);
  if (a.dtype == DType::kBool) {
    if (c.has(2)) b = c.op("And", {b, c.operand(2, DType::kBool)});
    return c.result(c.op("Or", {a, b}));
  }
  c.result(c.add(a, scaled(c, b)));
}

void sub(Context& c) {
  auto [a, b] = operands(c);
  c.result(c.sub(a, scaled(c, b)));
}

void rsub(Context& c) {
  auto [a, b] = operands(c);
  c.result(c.sub(b, scaled(c, a)));
}

void mul(Context& c) {
  auto [a, b] = operands(c);
  c.result(a.dtype == DType::kBool ? c.op("And", {a, b}) : c.mul(a, b));
}

void div(Context& c) {
  const DType dtype = common_type(c, 0, 1);
  const std::string mode = c.text(2);
  if (mode.empty()) {
    auto [a, b] = operands(c, ir::to_floating_point(dtype));
    return c.result(c.div(a, b));
  }
  auto [a, b] = operands(c, dtype);
  if (mode == "floor") return c.result(floor_divide(c, a, b));
  const Ref quotient = c.div(a, b);
  c.result(is_floating_point(dtype) ? truncate(c, quotient) : quotient);
}

void floor_division(Context& c) {
  auto [a, b] = operands(c);
  c.result(floor_divide(c, a, b));
}

void fmod(Context& c) {
  auto [a, b] = operands(c);
  // Runtimes take the remainder of floats.
  if (a.dtype == DType::kInt64) return c.result(c.sub(a, c.mul(c.div(a, b), b)));
  c.result(c.op("Mod", {a, b}, {{"fmod", 1}}));
}

void remainder(Context& c) {
  auto [a, b] = operands(c);
  if (!is_floating_point(a.dtype)) return c.result(c.op("Mod", {a, b}));
  const Ref mod = c.op("Mod", {a, b}, {{"fmod", 1}});
  const Ref differs = c.op("Xor", {c.compare("Less", b, 0.0), c.compare("Less", mod, 0.0)});
  const Ref nonzero = c.logical_not(c.compare("Equal", mod, 0.0));
  c.result(c.where(c.op("And", {nonzero, differs}), c.add(mod, b), mod));
}

// By squaring, since runtimes take the power of floats.
Ref integer_power(Context& c, Ref square, int64_t exponent) {
  Ref product;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 != 0) product = product.present() ? c.mul(product, square) : square;
    if (exponent > 1) square = c.mul(square, square);
  }
  return product;
}

void pow(Context& c) {
  auto [a, b] = operands(c);
  const auto exponent = c.number(1);
  if (exponent == 1.0) return c.result(a);
  if (exponent == 2.0) return c.result(c.mul(a, a));
  if (exponent == 3.0) return c.result(c.mul(c.mul(a, a), a));
  if (is_floating_point(a.dtype)) {
    if (exponent == 0.5) return c.result(c.op("Sqrt", {a}));
    if (exponent == -0.5) return c.result(c.op("Reciprocal", {c.op("Sqrt", {a})}));
    if (exponent == -1.0) return c.result(c.op("Reciprocal", {a}));
  } else if (exponent && *exponent > 0 && *exponent < 0x1p53) {
    return c.result(integer_power(c, a, static_cast<int64_t>(*exponent)));
  }
  c.result(c.op("Pow", {a, b}));
}

void extremum(Context& c) {
  auto [a, b] = operands(c);
  const bool is_max = base_name(c) == "maximum" || base_name(c) == "max" || base_name(c) == "fmax";
  if (a.dtype == DType::kBool) return c.result(c.op(is_max ? "Or" : "And", {a, b}));
  c.result(c.op(is_max ? "Max" : "Min", {a, b}));
}

// The quadrant from the signs, that of zeros included.
void atan2(Context& c) {
  auto [y, x] = operands(c, c.dtype());
  const double infinity = std::numeric_limits<double>::infinity();
  const auto is_infinite = [&](const Ref& v) {
    return c.compare("Equal", c.op("Abs", {v}), infinity);
  };
  const Ref both_infinite = c.op("And", {is_infinite(x), is_infinite(y)});
  const Ref both_zero = c.op("And", {c.compare("Equal", x, 0.0), c.compare("Equal", y, 0.0)});
  const auto is_negative = [&](const Ref& v) {
    const Ref negative_zero = c.op(
        "And", {c.compare("Equal", v, 0.0), c.compare("Less", c.div(c.number_like(1, v), v), 0.0)});
    return c.op("Or", {c.compare("Less", v, 0.0), negative_zero});
  };
  Ref ratio = c.div(c.where(both_infinite, c.op("Sign", {y}), y),
                    c.where(both_infinite, c.op("Sign", {x}), x));
  const Ref angle = c.where(both_zero, y, c.op("Atan", {ratio}));
  const Ref turn = c.where(is_negative(y), c.number_like(-std::numbers::pi, y),
                           c.number_like(std::numbers::pi, y));
  // atan(y / -0.0) has the sign turned, which the half turn puts right.
  c.result(c.where(is_negative(x), c.add(angle, turn), angle));
}

void hypot(Context& c) {
  auto [a, b] = operands(c);
  c.result(c.op("Sqrt", {c.add(c.mul(a, a), c.mul(b, b))}));
}

// "Greater" is written as "Less" the other way round: some engines compute it as "not less or
// equal", which NaN is.
void compare(Context& c) {
  static const std::unordered_map<std::string_view, const char*> kOps = {
      {"eq", "Equal"},       {"ne", "Equal"},
      {"lt", "Less"},        {"le", "LessOrEqual"},
      {"gt", "Less"},        {"ge", "LessOrEqual"},
      {"less", "Less"},      {"less_equal", "LessOrEqual"},
      {"greater", "Less"},   {"greater_equal", "LessOrEqual"},
      {"not_equal", "Equal"}};
  const std::string_view name = base_name(c);
  auto [a, b] = operands(c);
  if (a.dtype == DType::kBool && name != "eq" && name != "ne") {
    a = c.cast(a, DType::kInt32);
    b = c.cast(b, DType::kInt32);
  }
  if (name.starts_with('g')) std::swap(a, b);
  Ref result = c.compare(kOps.at(name), a, b);
  c.result(name == "ne" || name == "not_equal" ? c.logical_not(result) : result);
}

void logical(Context& c) {
  const std::string_view name = base_name(c);
  const char* op_type = name == "logical_and" ? "And" : name == "logical_or" ? "Or" : "Xor";
  auto [a, b] = operands(c, DType::kBool);
  c.result(c.op(op_type, {a, b}));
}

void bitwise(Context& c) {
  std::string_view name = base_name(c);
  while (name.starts_with('_')) name.remove_prefix(1);
  if (name.starts_with("bitwise_")) name.remove_prefix(8);
  auto [a, b] = operands(c);
  const bool is_bool = a.dtype == DType::kBool;
  if (name.starts_with("and")) return c.result(c.op(is_bool ? "And" : "BitwiseAnd", {a, b}));
  if (name.starts_with("or")) return c.result(c.op(is_bool ? "Or" : "BitwiseOr", {a, b}));
  c.result(c.op(is_bool ? "Xor" : "BitwiseXor", {a, b}));
}

// A left shift multiplies; a right one rounds to minus infinity. By the width and more, and by less
// than nothing, a right one leaves the sign; the power of two for that is no number of the type, so
// that it takes two steps.
void shift(Context& c) {
  const bool left = base_name(c).find("left") != std::string_view::npos ||
                    base_name(c).find("lshift") != std::string_view::npos;
  auto [a, b] = operands(c);
  if (left) return c.result(c.mul(a, c.op("Pow", {c.number_like(2, a), b})));
  if (dtype_size(a.dtype) < dtype_size(DType::kInt32)) {
    a = c.cast(a, DType::kInt32);
    b = c.cast(b, DType::kInt32);
  }
  const auto width = static_cast<int64_t>(8 * dtype_size(a.dtype));
  const Ref outside = c.op("Or", {c.compare("Less", b, 0.0),
                                  c.compare("GreaterOrEqual", b, static_cast<double>(width))});
  const Ref places = c.where(outside, c.scalar(width - 1, a.dtype), b);
  const Ref first = c.op("Min", {places, c.scalar(width - 2, a.dtype)});
  const auto shifted = [&](const Ref& x, const Ref& by) {
    return floor_divide(c, x, c.op("Pow", {c.number_like(2, x), by}));
  };
  c.result(shifted(shifted(a, first), c.sub(places, first)));
}

void where(Context& c) {
  const DType dtype = common_type(c, 1, 2);
  c.result(c.where(c.tensor(0, DType::kBool), c.operand(1, dtype), c.operand(2, dtype)));
}

void masked_fill(Context& c) {
  const Ref x = c.tensor(0);
  c.result(c.where(c.tensor(1, DType::kBool), c.operand(2, c.dtype()), x));
}

// self + value * a (op) b
void addcmul(Context& c) {
  const DType dtype = c.dtype();
  const Ref a = c.tensor(1, dtype);
  const Ref b = c.tensor(2, dtype);
  Ref product = base_name(c) == "addcmul" ? c.mul(a, b) : c.div(a, b);
  if (c.number(3) != 1.0) product = c.mul(product, c.operand(3, dtype));
  c.result(c.add(c.tensor(0, dtype), product));
}

// From the end that is nearer, as PyTorch does: that end itself is exact, whatever the other is.
void lerp(Context& c) {
  const Ref start = c.tensor(0);
  const Ref end = c.tensor(1);
  const Ref weight = c.operand(2, start.dtype);
  const Ref difference = c.sub(end, start);
  const auto known = c.is_tensor(2) ? std::nullopt : c.number(2);
  const auto from_start = [&] { return c.add(start, c.mul(weight, difference)); };
  if (known && std::abs(*known) < 0.5) return c.result(from_start());
  const Ref rest =
      known ? c.number_like(1 - *known, weight) : c.sub(c.number_like(1, weight), weight);
  const Ref from_end = c.sub(end, c.mul(rest, difference));
  if (known) return c.result(from_end);
  c.result(c.where(c.compare("Less", c.op("Abs", {weight}), 0.5), from_start(), from_end));
}

constexpr Entry kBinaryRules[] = {
    {"aten.add.Tensor aten.add.Scalar", add},
    {"aten.sub.Tensor aten.sub.Scalar aten.subtract.Tensor", sub},
    {"aten.rsub.Tensor aten.rsub.Scalar", rsub},
    {"aten.mul.Tensor aten.mul.Scalar aten.multiply.Tensor", mul},
    {"aten.div.Tensor aten.div.Scalar aten.div.Tensor_mode aten.div.Scalar_mode "
     "aten.true_divide.Tensor aten.divide.Tensor",
     div},
    {"aten.floor_divide aten.floor_divide.Scalar", floor_division},
    {"aten.fmod.Tensor aten.fmod.Scalar", fmod},
    {"aten.remainder.Tensor aten.remainder.Scalar aten.remainder.Scalar_Tensor", remainder},
    {"aten.pow.Tensor_Tensor aten.pow.Tensor_Scalar aten.pow.Scalar", pow},
    {"aten.maximum aten.minimum aten.max.other aten.min.other", extremum},
    {"aten.atan2 aten.arctan2", atan2},
    {"aten.hypot", hypot, "results whose square overflows"},
    {"aten.eq.Tensor aten.eq.Scalar aten.ne.Tensor aten.ne.Scalar aten.lt.Tensor aten.lt.Scalar "
     "aten.le.Tensor aten.le.Scalar aten.gt.Tensor aten.gt.Scalar aten.ge.Tensor aten.ge.Scalar "
     "aten.less.Tensor aten.less.Scalar aten.less_equal.Tensor aten.less_equal.Scalar "
     "aten.greater.Tensor aten.greater.Scalar aten.greater_equal.Tensor "
     "aten.greater_equal.Scalar aten.not_equal.Tensor aten.not_equal.Scalar",
     compare},
    {"aten.logical_and aten.logical_or aten.logical_xor", logical},
    {"aten.bitwise_and.Tensor aten.bitwise_and.Scalar aten.bitwise_or.Tensor "
     "aten.bitwise_or.Scalar aten.bitwise_xor.Tensor aten.bitwise_xor.Scalar aten.__and__.Tensor "
     "aten.__and__.Scalar aten.__or__.Tensor aten.__or__.Scalar aten.__xor__.Tensor "
     "aten.__xor__.Scalar",
     bitwise},
    {"aten.bitwise_left_shift.Tensor aten.bitwise_left_shift.Tensor_Scalar "
     "aten.bitwise_right_shift.Tensor aten.bitwise_right_shift.Tensor_Scalar "
     "aten.__lshift__.Scalar aten.__rshift__.Scalar aten.__lshift__.Tensor aten.__rshift__.Tensor",
     shift, "shifts past 52 bits"},
    {"aten.where.self aten.where.ScalarSelf aten.where.ScalarOther aten.where.Scalar", where},
    {"aten.masked_fill.Scalar aten.masked_fill.Tensor", masked_fill},
    {"aten.addcmul aten.addcdiv", addcmul},
    {"aten.lerp.Scalar aten.lerp.Tensor", lerp},
};

}  // namespace

std::span<const Entry> binary_rules() { return kBinaryRules; }

}  // namespace slipway::onnx
