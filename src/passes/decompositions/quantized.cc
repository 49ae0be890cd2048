// Quantization that has no kernel of its own, or one that gives other numbers.
#include <algorithm>

#include "ir/fake_quantize_rows.h"
#include "passes/decompositions/quantization_steps.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

// Rounded to one of the levels and back: (clamp(round(x / scale) + zero) - zero) * scale.
struct Rounded {
  Value* value;
  Value* inside;  // where nothing was clamped
};

template <class Scale, class Zero>
Rounded rounded(Context& c, Value* x, const Scale& scale, const Zero& zero, int64_t min,
                int64_t max) {
  Value* level = c.build.add(c.build.round(c.build.div(x, scale)), zero);
  Value* clamped = c.build.clamp(level, static_cast<double>(min), static_cast<double>(max));
  return {c.build.mul(c.build.sub(clamped, zero), scale),
          c.build.logical_and(c.build.ge(level, static_cast<double>(min)),
                              c.build.le(level, static_cast<double>(max)))};
}

Values results(Context& c, const Rounded& r) {
  return c.output_count() == 1 ? Values{r.value} : Values{r.value, r.inside};
}

// (self, scale, zero_point, quant_min, quant_max)
Values fake_quantize(Context& c) {
  Value* x = c.tensor(0);
  if (!c.is_tensor(1)) {
    return results(c, rounded(c, x, c.real(1), static_cast<double>(c.constant(2)), c.constant(3),
                              c.constant(4)));
  }
  Value* scale = c.build.view(c.tensor(1), {});
  Value* zero = c.build.view(c.build.to_dtype(c.tensor(2), x->dtype()), {});
  return results(c, rounded(c, x, scale, zero, c.constant(3), c.constant(4)));
}

// (self, scale, zero_point, axis, quant_min, quant_max)
Values fake_quantize_per_channel(Context& c) {
  Value* x = c.tensor(0);
  std::vector<SymInt> line(x->sizes().size(), 1);
  const int64_t axis = c.dim(c.constant(3), x->rank());
  line.at(axis) = x->sizes().at(axis);
  Value* scale = c.build.view(c.tensor(1), line);
  Value* zero = c.build.view(c.build.to_dtype(c.tensor(2), x->dtype()), line);
  return results(c, rounded(c, x, scale, zero, c.constant(4), c.constant(5)));
}

// (input, scale, zero_point, quant_min, quant_max, dtype). ExecuTorch's kernel makes an integer of
// 32 bits of each quotient before it limits that: what is past it, infinity too, is limited before.
Values quantize(Context& c) {
  Value* x = c.tensor(0);
  constexpr double kMostLevels = 1 << 30;
  constexpr double kMostFloat16 = 65504;
  double limit = kMostLevels * c.real(1);
  if (x->dtype() == DType::kFloat16) limit = std::min(limit, kMostFloat16);
  const ir::Node* before = x->producer();
  const bool is_limited = before && before->op() == "aten.clamp.default" &&
                          before->arg(1) == ir::Argument(-limit) &&
                          before->arg(2) == ir::Argument(limit);
  if (is_limited || c.dtype() == DType::kInt32) return {};
  std::vector<ir::Argument> arguments = c.node().args();
  arguments.at(0) = c.build.clamp(x, -limit, limit);
  return {c.build.call(c.op(), std::move(arguments), c.dtype(), c.sizes())};
}

// What follows is by PyTorch's own steps.
Value* quantized_by(Context& c, Value* inverse, Value* zero, int64_t min, int64_t max) {
  Value* level = c.build.add(c.build.round(c.build.mul(c.tensor(0), inverse)), zero);
  level = c.build.clamp(level, static_cast<double>(min), static_cast<double>(max));
  return c.build.to_dtype(level, c.dtype());
}

// (input, scale, zero_point, quant_min, quant_max, dtype): PyTorch divides in float64.
Values quantize_by_tensors(Context& c) {
  Value* wide = c.build.to_dtype(c.build.view(c.tensor(1), {}), DType::kFloat64);
  Value* inverse = c.build.to_dtype(c.build.reciprocal(wide), DType::kFloat32);
  Value* zero = c.build.to_dtype(c.build.view(c.tensor(2), {}), DType::kFloat32);
  return {quantized_by(c, inverse, zero, c.constant(3), c.constant(4))};
}

// (input, scales, zero_points, axis, quant_min, quant_max, dtype)
Values quantize_per_channel(Context& c) {
  Value* x = c.tensor(0);
  Sizes line(x->sizes().size(), 1);
  const int64_t axis = c.dim(c.constant(3), x->rank());
  line.at(axis) = x->sizes().at(axis);
  Value* inverse = c.build.reciprocal(c.build.view(c.tensor(1), line));
  Value* zero = c.build.to_dtype(c.build.view(c.tensor(2), line), inverse->dtype());
  return {quantized_by(c, inverse, zero, c.constant(4), c.constant(5))};
}

// (input, scales, zero_points, quant_min, quant_max, dtype)
Values quantize_per_token(Context& c) {
  const Chosen by = {c.tensor(1), c.tensor(2)};
  Value* level = quantize_token_by(c.build, c.tensor(0), by, static_cast<double>(c.constant(3)),
                                   static_cast<double>(c.constant(4)));
  return {c.build.to_dtype(level, c.dtype())};
}

// (input, scale, zero_point, ...): the kernel takes a scale of float64 only.
Values with_wide_scales(Context& c) {
  if (c.tensor(1)->dtype() == DType::kFloat64) return {};
  std::vector<ir::Argument> arguments = c.node().args();
  arguments.at(1) = c.build.to_dtype(c.tensor(1), DType::kFloat64);
  return {c.build.call(c.op(), std::move(arguments), c.dtype(), c.sizes())};
}

// (input, scales, zero_points, quant_min, quant_max, dtype, group_size, output_dtype): a scale for
// each group of a row.
Values dequantize_groups(Context& c) {
  Value* x = c.tensor(0);
  const Sizes groups = c.tensor(1)->sizes();
  Sizes parts = groups;
  parts.push_back(c.constant(6));
  const auto of_groups = [&](Value* numbers, DType dtype) {
    return c.build.unsqueeze(c.build.to_dtype(numbers, dtype), -1);
  };
  // Zero points of the weight's own type are taken away in it, and may wrap around.
  const bool wraps = c.has(2) && c.tensor(2)->dtype() == x->dtype();
  const DType inside = wraps ? x->dtype() : DType::kFloat32;
  Value* y = c.build.to_dtype(c.build.view(x, parts), inside);
  if (c.has(2)) y = c.build.sub(y, of_groups(c.tensor(2), inside));
  y = c.build.to_dtype(y, DType::kFloat32);
  y = c.build.mul(y, of_groups(c.tensor(1), DType::kFloat32));
  return {c.build.to_dtype(c.build.view(y, x->sizes()), c.dtype())};
}

// (x, dimensions, least scale)
Values fake_quantize_rows(Context& c) {
  Value* x = c.tensor(0);
  const int64_t count = c.constant(1);
  if (count < 1 || count > x->rank()) return c.unsupported("it has other dimensions");
  std::vector<int64_t> dims(static_cast<size_t>(count));
  for (size_t i = 0; i < dims.size(); ++i) dims[i] = -1 - static_cast<int64_t>(i);
  const Chosen by = choose_affine(c.build, x, dims, true, kLeastLevel, kMostLevel, c.real(2));
  return {dequantize_by(c.build, quantize_by(c.build, x, by, kLeastLevel, kMostLevel), by)};
}

constexpr Entry kQuantizedRules[] = {
    {ir::kFakeQuantizeRows, fake_quantize_rows},
    {"quantized_decomposed.dequantize_per_channel_group.default", dequantize_groups},
    {"quantized_decomposed.quantize_per_tensor.default", quantize},
    {"quantized_decomposed.quantize_per_tensor.tensor", quantize_by_tensors},
    {"quantized_decomposed.quantize_per_channel.default", quantize_per_channel},
    {"quantized_decomposed.quantize_per_token.default", quantize_per_token},
    {"quantized_decomposed.dequantize_per_tensor.tensor", with_wide_scales},
    {"aten.fake_quantize_per_tensor_affine.default "
     "aten.fake_quantize_per_tensor_affine.tensor_qparams "
     "aten.fake_quantize_per_tensor_affine_cachemask.default",
     fake_quantize},
    {"aten.fake_quantize_per_channel_affine.default "
     "aten.fake_quantize_per_channel_affine_cachemask.default",
     fake_quantize_per_channel},
};

}  // namespace

Value* divide(ir::OpBuilder& build, Value* x, double divisor) {
  return build.div(x, build.full_like(x, divisor));
}

Extrema extrema_with_0(ir::OpBuilder& build, Value* x, const std::vector<int64_t>& dims,
                       bool keepdim) {
  Value* least = build.clamp(build.amin(x, dims, keepdim), std::nullopt, ir::Scalar(0.0));
  return {least, build.clamp(build.amax(x, dims, keepdim), ir::Scalar(0.0), std::nullopt)};
}

Chosen choose_affine(ir::OpBuilder& build, Value* x, const std::vector<int64_t>& dims, bool keepdim,
                     double low, double high, double eps) {
  const auto [least, most] = extrema_with_0(build, x, dims, keepdim);
  Value* scale = divide(build, build.sub(most, least), high - low);
  scale = build.clamp(scale, ir::Scalar(eps), std::nullopt);
  Value* zero = build.rsub(build.round(build.div(least, scale)), low);
  return {scale, build.clamp(zero, ir::Scalar(low), ir::Scalar(high))};
}

Value* quantize_by(ir::OpBuilder& build, Value* x, const Chosen& by, double low, double high) {
  Value* level = build.round(build.mul(x, build.reciprocal(by.scale)));
  return build.clamp(build.add(level, by.zero), ir::Scalar(low), ir::Scalar(high));
}

Value* quantize_token_by(ir::OpBuilder& build, Value* x, const Chosen& by, double low,
                         double high) {
  Value* level = build.mul(x, build.reciprocal(by.scale));
  level = build.round(build.add(level, by.zero));
  return build.clamp(level, ir::Scalar(low), ir::Scalar(high));
}

Value* dequantize_by(ir::OpBuilder& build, Value* level, const Chosen& by) {
  return build.mul(build.sub(level, by.zero), by.scale);
}

std::span<const Entry> quantized_rules() { return kQuantizedRules; }

}  // namespace slipway::passes::decompositions
