#include <optional>

#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

struct Limits {
  double min;
  double max;
};

std::optional<Limits> limits_of(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
      return Limits{-128, 127};
    case DType::kUInt8:
      return Limits{0, 255};
    case DType::kInt16:
      return Limits{-32768, 32767};
    case DType::kUInt16:
      return Limits{0, 65535};
    default:
      return std::nullopt;
  }
}

// An axis of the channels, or none; scales and zero points then have one element.
using Axis = std::optional<int64_t>;

Attributes axis_attribute(const Axis& axis) {
  return axis ? Attributes{{"axis", *axis}} : Attributes{};
}

// x in [min, max] of the integer type. QuantizeLinear divides by the scale, which rounds halves
// otherwise than PyTorch's multiplication by its inverse.
void quantize(Context& c, const Ref& scale, const Ref& zero_point, size_t min, size_t max,
              const Axis& axis) {
  const Ref x = c.tensor(0, DType::kFloat32);
  const DType dtype = c.dtype();
  const double low = c.real(min);
  const double high = c.real(max);
  const bool is_byte = dtype == DType::kInt8 || dtype == DType::kUInt8;
  if (!is_byte || !c.fused("QuantizeLinear")) {
    const auto along_axis = [&](const Ref& v) {
      return axis ? c.unsqueeze(v, iota(c.rank(0) - 1 - *axis, 1)) : v;
    };
    const auto known = c.number(1);
    const Ref inverse = known ? c.number_like(1 / *known, x) : c.op("Reciprocal", {scale});
    const Ref steps = c.op("Round", {c.mul(x, along_axis(inverse))});
    const Ref shifted = c.add(steps, along_axis(c.cast(zero_point, DType::kFloat32)));
    return c.result(c.op("Clip", {shifted, c.number_like(low, x), c.number_like(high, x)}));
  }
  Ref y =
      c.op("QuantizeLinear", {x, scale, c.cast(zero_point, dtype)}, axis_attribute(axis), dtype);
  const auto limits = limits_of(dtype);
  if (limits && low > limits->min) y = c.op("Max", {y, c.number_like(low, y)});
  if (limits && high < limits->max) y = c.op("Min", {y, c.number_like(high, y)});
  c.result(y);
}

void dequantize(Context& c, const Ref& scale, const Ref& zero_point, const Axis& axis) {
  const Ref x = c.tensor(0);
  const bool is_byte = x.dtype == DType::kInt8 || x.dtype == DType::kUInt8;
  if (is_byte) {
    Refs inputs = {x, scale};
    if (zero_point.present()) inputs.push_back(c.cast(zero_point, x.dtype));
    return c.result(c.op("DequantizeLinear", inputs, axis_attribute(axis), DType::kFloat32));
  }
  if (axis) return c.fail("only 8-bit types are read per channel");
  Ref wide = c.cast(x, DType::kFloat32);
  if (zero_point.present()) wide = c.sub(wide, c.cast(zero_point, DType::kFloat32));
  c.result(c.mul(wide, scale));
}

// A number, or a tensor of one element.
Ref single(Context& c, size_t i, DType dtype) {
  if (!c.is_tensor(i) || c.rank(i) == 0) return c.operand(i, dtype);
  return c.op("Reshape", {c.tensor(i, dtype), c.ints({})});
}

// quantize_per_tensor(x, scale, zero_point, min, max, dtype)
void quantize_per_tensor(Context& c) {
  quantize(c, single(c, 1, DType::kFloat32), single(c, 2, DType::kInt64), 3, 4, std::nullopt);
}

void dequantize_per_tensor(Context& c) {
  dequantize(c, single(c, 1, DType::kFloat32), single(c, 2, DType::kInt64), std::nullopt);
}

// quantize_per_channel(x, scales, zero_points, axis, min, max, dtype)
void quantize_per_channel(Context& c) {
  quantize(c, c.tensor(1, DType::kFloat32), c.tensor(2), 4, 5, c.dim(c.constant(3), c.rank(0)));
}

void dequantize_per_channel(Context& c) {
  dequantize(c, c.tensor(1, DType::kFloat32), c.tensor_or_none(2), c.dim(c.constant(3), c.rank(0)));
}

constexpr Entry kRules[] = {
    {"quantized_decomposed.quantize_per_tensor quantized_decomposed.quantize_per_tensor.tensor",
     quantize_per_tensor},
    {"quantized_decomposed.dequantize_per_tensor quantized_decomposed.dequantize_per_tensor.tensor",
     dequantize_per_tensor},
    {"quantized_decomposed.quantize_per_channel", quantize_per_channel},
    {"quantized_decomposed.dequantize_per_channel", dequantize_per_channel,
     "other than 8-bit types"},
};

}  // namespace

std::span<const Entry> quantized_rules() { return kRules; }

}  // namespace slipway::onnx
