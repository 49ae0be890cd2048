#include <cmath>
#include <cstdlib>
#include <limits>
#include <numbers>
#include <string_view>
#include <unordered_map>

#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The input in the result's type: integers become float32 where the function is a real one.
Ref real_input(Context& c) { return c.tensor(0, c.dtype()); }

template <class F>
void apply(Context& c, F function) {
  c.result(function(c, real_input(c)));
}

void direct(Context& c) {
  static const std::unordered_map<std::string_view, const char*> kOps = {
      {"exp", "Exp"},
      {"log", "Log"},
      {"sqrt", "Sqrt"},
      {"sin", "Sin"},
      {"cos", "Cos"},
      {"tan", "Tan"},
      {"asin", "Asin"},
      {"acos", "Acos"},
      {"atan", "Atan"},
      {"sinh", "Sinh"},
      {"cosh", "Cosh"},
      {"tanh", "Tanh"},
      {"asinh", "Asinh"},
      {"acosh", "Acosh"},
      {"atanh", "Atanh"},
      {"erf", "Erf"},
      {"special_erf", "Erf"},
      {"special_expit", "Sigmoid"},
      {"arcsin", "Asin"},
      {"arctan", "Atan"},
      {"arccos", "Acos"},
      {"sigmoid", "Sigmoid"},
      {"reciprocal", "Reciprocal"}};
  c.result(c.op(kOps.at(base_name(c)), {real_input(c)}));
}

// Functions that leave integers as they are.
void rounding(Context& c) {
  Ref x = c.tensor(0);
  if (!is_floating_point(x.dtype)) return c.result(x);
  const std::string_view name = base_name(c);
  if (name == "floor") return c.result(c.op("Floor", {x}));
  if (name == "ceil") return c.result(c.op("Ceil", {x}));
  if (name == "round") return c.result(c.op("Round", {x}));
  c.result(truncate(c, x));
}

void round_decimals(Context& c) {
  Ref x = c.tensor(0);
  if (!is_floating_point(x.dtype)) return c.result(x);
  const int64_t decimals = c.constant(1);
  const double ten = std::pow(10.0, static_cast<double>(std::abs(decimals)));
  c.result(decimals >= 0 ? c.div(c.op("Round", {c.mul(x, ten)}), ten)
                         : c.mul(c.op("Round", {c.div(x, ten)}), ten));
}

void abs(Context& c) {
  Ref x = c.tensor(0);
  c.result(x.dtype == DType::kBool ? x : c.op("Abs", {x}));
}

void neg(Context& c) { c.result(c.op("Neg", {c.tensor(0)})); }

void sign(Context& c) {
  Ref x = c.tensor(0);
  if (x.dtype == DType::kBool) return c.result(x);
  // Sign of NaN is NaN, where PyTorch has 0, and ONNX Runtime looks at 32 bits of integers.
  const Ref above = c.cast(c.compare("Greater", x, 0.0), x.dtype);
  c.result(c.sub(above, c.cast(c.compare("Less", x, 0.0), x.dtype)));
}

void square(Context& c) {
  Ref x = c.tensor(0, c.dtype());
  c.result(x.dtype == DType::kBool ? x : c.mul(x, x));
}

void frac(Context& c) {
  Ref x = c.tensor(0);
  c.result(c.sub(x, truncate(c, x)));
}

void rsqrt(Context& c) {
  apply(c, [](Context& c, const Ref& x) { return c.op("Reciprocal", {c.op("Sqrt", {x})}); });
}
void expm1_rule(Context& c) {
  apply(c, [](Context& c, const Ref& x) { return expm1(c, x); });
}
void exp2(Context& c) {
  apply(c, [](Context& c, const Ref& x) { return c.op("Pow", {c.number_like(2, x), x}); });
}
void log1p_rule(Context& c) {
  apply(c, [](Context& c, const Ref& x) { return log1p(c, x); });
}
// `factor` is that of the natural logarithm. Of a power of the base it is the whole number, which
// the product misses by a little.
Ref logarithm(Context& c, const Ref& x, double base, double factor) {
  const Ref y = c.mul(c.op("Log", {x}), factor);
  const Ref whole = c.op("Round", {y});
  const Ref power = c.op("Pow", {c.number_like(base, x), whole});
  return c.where(c.compare("Equal", power, x), whole, y);
}
void log2(Context& c) {
  apply(c, [](Context& c, const Ref& x) { return logarithm(c, x, 2, std::numbers::log2e); });
}
void log10(Context& c) {
  apply(c, [](Context& c, const Ref& x) { return logarithm(c, x, 10, std::numbers::log10e); });
}
void deg2rad(Context& c) {
  apply(c, [](Context& c, const Ref& x) { return c.mul(x, std::numbers::pi / 180); });
}
void rad2deg(Context& c) {
  apply(c, [](Context& c, const Ref& x) { return c.mul(x, 180 / std::numbers::pi); });
}

// For integers, which are always finite: a tensor of their sizes.
Ref everywhere(Context& c, const Ref& x, bool value) {
  const Ref same = c.compare("Equal", x, x);
  return value ? same : c.logical_not(same);
}

void isnan(Context& c) {
  Ref x = c.tensor(0);
  c.result(is_floating_point(x.dtype) ? c.op("IsNaN", {x}, {}, DType::kBool)
                                      : everywhere(c, x, false));
}

void isinf(Context& c) {
  Ref x = c.tensor(0);
  if (!is_floating_point(x.dtype)) return c.result(everywhere(c, x, false));
  c.result(c.compare("Equal", c.op("Abs", {x}), kInfinity));
}

void isfinite(Context& c) {
  Ref x = c.tensor(0);
  if (!is_floating_point(x.dtype)) return c.result(everywhere(c, x, true));
  c.result(c.compare("Less", c.op("Abs", {x}), kInfinity));
}

void signbit(Context& c) {
  const Ref x = c.tensor(0);
  if (x.dtype == DType::kBool) return c.result(everywhere(c, x, false));
  const Ref negative = c.compare("Less", x, 0.0);
  if (!is_floating_point(x.dtype)) return c.result(negative);
  // The reciprocal of -0.0 is -inf.
  const Ref below = c.compare("Less", c.op("Reciprocal", {x}), 0.0);
  c.result(c.op("Or", {negative, below}));
}

void logical_not(Context& c) { c.result(c.logical_not(c.tensor(0, DType::kBool))); }

void bitwise_not(Context& c) {
  Ref x = c.tensor(0);
  c.result(x.dtype == DType::kBool ? c.logical_not(x) : c.op("BitwiseNot", {x}));
}

void nan_to_num(Context& c) {
  Ref x = c.tensor(0);
  if (!is_floating_point(x.dtype)) return c.result(x);
  // Of the result's type: x may be wider here.
  const double largest = c.dtype() == DType::kFloat64   ? std::numeric_limits<double>::max()
                         : c.dtype() == DType::kFloat16 ? 65504.0
                         : c.dtype() == DType::kBFloat16
                             ? 3.3895313892515355e38
                             : static_cast<double>(std::numeric_limits<float>::max());
  Ref y =
      c.where(c.op("IsNaN", {x}, {}, DType::kBool), c.number_like(c.number(1).value_or(0), x), x);
  y = c.where(c.compare("Equal", x, kInfinity), c.number_like(c.number(2).value_or(largest), x), y);
  y = c.where(c.compare("Equal", x, -kInfinity), c.number_like(c.number(3).value_or(-largest), x),
              y);
  c.result(y);
}

// Conversions and copies.
// Weights of 8 bits stay so in engines, which read them in place of wider ones if a scale follows,
// be it 1.
void convert(Context& c) {
  const Ref x = c.tensor(0);
  const QuantizedValues form = c.options().quantized;
  const DType dtype = c.dtype();
  const bool is_byte = x.dtype == DType::kInt8 || x.dtype == DType::kUInt8;
  if (form == QuantizedValues::kAsGiven || !is_byte || dtype != DType::kFloat32) return c.result(x);
  if (form == QuantizedValues::kSymmetric) {
    if (x.dtype != DType::kInt8 || !c.constant_data(0) || c.rank(0) < 2) return c.result(x);
  } else if (c.rank(0) < 2 || feeds_products(c, c.output(), Scaled::kYes)) {
    return c.result(x);
  }
  c.result(c.op("DequantizeLinear", {x, c.scalar(1.0, DType::kFloat32)}, {}, DType::kFloat32));
}

void dropout(Context& c) {
  if (c.flag(2)) c.fail("dropout in training has random results");
  c.result(c.tensor(0));
}

void native_dropout(Context& c) {
  const Ref x = c.tensor(0);
  if (!c.has(2) || c.flag(2)) c.fail("dropout in training has random results");
  if (c.is_used(1)) {
    c.result(c.expand(c.scalar(int64_t{1}, DType::kBool), {}, c.sizes(1)), 1);
  }
  c.result(x);
}

// copy(self, src): src in self's type and sizes.
void copy(Context& c) { c.result(c.expand(c.tensor(1, c.dtype()), c.type(1).sizes, c.sizes())); }

void clamp(Context& c) {
  // Runtimes have no extremes of bools.
  const DType dtype = c.dtype() == DType::kBool ? DType::kInt32 : c.dtype();
  Ref x = c.tensor(0, dtype);
  // Clip's missing bound is the largest number of some engine's type.
  if (c.is_tensor(1) || c.is_tensor(2) || !c.has(1) || !c.has(2)) {
    if (c.has(1)) x = c.op("Max", {x, c.operand(1, dtype)});
    if (c.has(2)) x = c.op("Min", {x, c.operand(2, dtype)});
    return c.result(c.cast(x, c.dtype()));
  }
  c.result(c.op("Clip", {x, c.operand(1, dtype), c.operand(2, dtype)}));
}

void clamp_end(Context& c, const char* op_type) {
  const DType dtype = c.dtype() == DType::kBool ? DType::kInt32 : c.dtype();
  c.result(c.op(op_type, {c.tensor(0, dtype), c.operand(1, dtype)}));
}
void clamp_min(Context& c) { clamp_end(c, "Max"); }
void clamp_max(Context& c) { clamp_end(c, "Min"); }

constexpr Entry kElementwiseRules[] = {
    {"aten.exp aten.log aten.sqrt aten.sin aten.cos aten.tan aten.asin aten.acos aten.atan "
     "aten.sinh aten.cosh aten.tanh aten.asinh aten.acosh aten.atanh aten.erf aten.special_erf "
     "aten.special_expit aten.arcsin "
     "aten.arctan aten.arccos aten.sigmoid aten.reciprocal",
     direct},
    {"aten.floor aten.ceil aten.round aten.trunc aten.fix", rounding},
    {"aten.round.decimals", round_decimals},
    {"aten.abs", abs},
    {"aten.neg aten.negative", neg},
    {"aten.sign aten.sgn", sign},
    {"aten.square", square},
    {"aten.frac", frac},
    {"aten.rsqrt", rsqrt},
    {"aten.expm1 aten.special_expm1", expm1_rule},
    {"aten.exp2 aten.special_exp2", exp2},
    {"aten.log1p aten.special_log1p", log1p_rule},
    {"aten.log2", log2},
    {"aten.log10", log10},
    {"aten.deg2rad", deg2rad},
    {"aten.rad2deg", rad2deg},
    {"aten.isnan", isnan},
    {"aten.isinf", isinf},
    {"aten.isfinite", isfinite},
    {"aten.signbit", signbit},
    {"aten.logical_not", logical_not},
    {"aten.bitwise_not", bitwise_not},
    {"aten.nan_to_num", nan_to_num},
    {"aten._to_copy aten.to.dtype aten.to.dtype_layout aten.to.device aten.to.other aten.type_as "
     "aten.float aten.alias aten.clone aten.contiguous aten.detach aten.lift_fresh_copy "
     "aten.lift_fresh aten.positive aten.resolve_conj "
     "aten.resolve_neg aten._conj aten.conj",
     convert},
    {"aten.dropout aten.feature_dropout aten.alpha_dropout", dropout, "training"},
    {"aten.native_dropout", native_dropout, "training"},
    {"aten.copy", copy},
    {"aten.clamp aten.clamp.Tensor aten.clip", clamp},
    {"aten.clamp_min aten.clamp_min.Tensor", clamp_min},
    {"aten.clamp_max aten.clamp_max.Tensor", clamp_max},
};

}  // namespace

std::span<const Entry> elementwise_rules() { return kElementwiseRules; }

}  // namespace slipway::onnx
