// Normalization layers.
#include <limits>

#include "ir/promotion.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

const char* const kTraining = "it updates its running statistics: export the module in eval mode";

struct BatchNorm {
  Value* weight;
  Value* bias;
  Value* mean;
  Value* var;
};

// Arguments 1 to 4 of every batch norm.
BatchNorm parameters(Context& c) {
  return {c.tensor_or_null(1), c.tensor_or_null(2), c.tensor_or_null(3), c.tensor_or_null(4)};
}

// In evaluation the statistics that a batch norm returns have no elements.
Values with_no_statistics(Context& c, Value* y) {
  Values values(c.output_count(), nullptr);
  values.at(0) = y;
  for (size_t i = 1; i < values.size(); ++i) {
    const Value* output = c.output(i);
    if (output->is_tensor() && output->type().numel() == SymInt(0)) {
      values.at(i) = c.build.zeros(output->sizes(), output->dtype());
    }
  }
  return values;
}

Value* by_running(Context& c, const BatchNorm& p, double momentum, double eps) {
  return c.build.batch_norm(c.tensor(0), p.weight, p.bias, p.mean, p.var, momentum, eps);
}

// By the statistics of the batch itself: the result, its mean and the reciprocal of its deviation.
Values by_batch(Context& c, const BatchNorm& p, double eps) {
  Value* x = c.tensor(0);
  std::vector<int64_t> dims = {0};
  Sizes channel(x->sizes().size(), 1);
  channel.at(1) = x->sizes().at(1);
  for (int64_t d = 2; d < x->rank(); ++d) dims.push_back(d);
  Value* mean = c.build.mean(x, dims, true);
  Value* scale = c.build.rsqrt(c.build.add(c.build.var(x, dims, SymInt(0), true), eps));
  Value* y = c.build.mul(c.build.sub(x, mean), scale);
  if (p.weight) y = c.build.mul(y, c.build.view(p.weight, channel));
  if (p.bias) y = c.build.add(y, c.build.view(p.bias, channel));
  const Sizes line = {x->sizes().at(1)};
  return {y, c.build.view(mean, line), c.build.view(scale, line)};
}

// (input, weight, bias, mean, var, training, momentum, eps, ...)
Values batch_norm(Context& c) {
  const BatchNorm p = parameters(c);
  const bool training = c.flag(5) || !p.mean || !p.var;
  if (training && p.mean) return c.unsupported(kTraining);
  if (!training) return with_no_statistics(c, by_running(c, p, c.number(6), c.number(7)));
  if (c.output_count() > 1) return c.unsupported(kTraining);
  return {by_batch(c, p, c.number(7)).at(0)};
}

// (input, weight, bias, training, momentum, eps)
Values batch_norm_without_running(Context& c) {
  // The kernel counts with float32 in between.
  if (c.dtype() != DType::kFloat64) return {};
  return by_batch(c, {c.tensor_or_null(1), c.tensor_or_null(2), nullptr, nullptr}, c.number(5));
}

// (input, weight, bias, mean, var, momentum, eps)
Values batch_norm_no_update(Context& c) {
  return with_no_statistics(c, by_running(c, parameters(c), c.number(5), c.number(6)));
}

Value* by_groups(Context& c, int64_t groups, double eps) {
  Value* x = c.tensor(0);
  Value* weight = c.tensor_or_null(c.op() == "aten.group_norm.default" ? 2 : 1);
  Value* bias = c.tensor_or_null(c.op() == "aten.group_norm.default" ? 3 : 2);
  if (x->dtype() != DType::kFloat64) {
    return c.build.native_group_norm(x, weight, bias, groups, eps);
  }
  // The kernel computes in float32.
  Value* grouped = c.build.view(x, {x->sizes().at(0), groups, -1});
  Value* mean = c.build.mean(grouped, {2}, true);
  Value* var = c.build.var(grouped, {2}, SymInt(0), true);
  Value* scaled = c.build.mul(c.build.sub(grouped, mean), c.build.rsqrt(c.build.add(var, eps)));
  Value* y = c.build.view(scaled, x->sizes());
  Sizes channel(x->sizes().size(), 1);
  channel.at(1) = x->sizes().at(1);
  if (weight) y = c.build.mul(y, c.build.view(weight, channel));
  if (bias) y = c.build.add(y, c.build.view(bias, channel));
  return y;
}

// (input, weight, bias, mean, var, use_input_stats, momentum, eps, ...)
Values instance_norm(Context& c) {
  const BatchNorm p = parameters(c);
  if (!c.flag(5)) return {by_running(c, p, c.number(6), c.number(7))};
  if (p.mean) return c.unsupported(kTraining);
  Value* x = c.tensor(0);
  const int64_t channels = c.known(x->sizes().at(1), "the number of channels");
  return {by_groups(c, channels, c.number(7))};
}

Values group_norm(Context& c) { return {by_groups(c, c.constant(1), c.number(4))}; }

// (input, weight, bias, N, C, HxW, groups, eps)
Values native_group_norm(Context& c) {
  if (c.dtype() != DType::kFloat64) return {};
  Values values(c.output_count(), nullptr);
  values.at(0) = by_groups(c, c.constant(6), c.number(7));
  return values;
}

Values layer_norm(Context& c) {
  Value* x = c.tensor(0);
  // The kernel computes in float32.
  if (x->dtype() == DType::kFloat64) {
    std::vector<int64_t> dims;
    const auto count = static_cast<int64_t>(c.integers(1).size());
    for (int64_t d = x->rank() - count; d < x->rank(); ++d) dims.push_back(d);
    Value* mean = c.build.mean(x, dims, true);
    Value* scale = c.build.rsqrt(c.build.add(c.build.var(x, dims, SymInt(0), true), c.number(4)));
    Value* y = c.build.mul(c.build.sub(x, mean), scale);
    if (c.has(2)) y = c.build.mul(y, c.tensor(2));
    if (c.has(3)) y = c.build.add(y, c.tensor(3));
    return c.output_count() == 1 ? Values{y} : Values{y, mean, scale};
  }
  if (c.output_count() > 1) return {};
  return {c.build.native_layer_norm(c.tensor(0), c.integers(1), c.tensor_or_null(2),
                                    c.tensor_or_null(3), c.number(4))};
}

double machine_epsilon(DType dtype) {
  switch (dtype) {
    case DType::kFloat16:
      return 0x1p-10;
    case DType::kBFloat16:
      return 0x1p-7;
    case DType::kFloat64:
      return std::numeric_limits<double>::epsilon();
    default:
      return std::numeric_limits<float>::epsilon();
  }
}

// Half precision is computed in float32, as PyTorch does.
Values rms_norm(Context& c) {
  Value* x = c.tensor(0);
  const double eps = c.has(3) ? c.number(3) : machine_epsilon(x->dtype());
  std::vector<int64_t> dims;
  const auto count = static_cast<int64_t>(c.integers(1).size());
  for (int64_t d = -count; d < 0; ++d) dims.push_back(d);
  Value* wide = x->dtype() == DType::kFloat64 ? x : c.build.to_dtype(x, DType::kFloat32);
  Value* scale = c.build.rsqrt(c.build.add(c.build.mean(c.build.mul(wide, wide), dims, true), eps));
  Value* y = c.build.mul(wide, scale);
  if (c.output_count() > 1) {
    if (c.has(2)) y = c.build.mul(y, c.tensor(2));
    return {c.build.to_dtype(y, c.dtype()), c.build.to_dtype(scale, c.output(1)->dtype())};
  }
  y = c.build.to_dtype(y, x->dtype());
  if (c.has(2)) y = c.build.mul(y, c.tensor(2));
  return {c.build.to_dtype(y, c.dtype())};
}

// g * v / |v|, where the norm is taken over all dimensions but one.
Values weight_norm(Context& c) {
  Value* v = c.tensor(0);
  const int64_t dim = c.has(2) ? c.constant(2) : 0;
  std::vector<int64_t> dims;
  for (int64_t d = 0; d < v->rank(); ++d) {
    if (d != dim) dims.push_back(d);
  }
  // Of one dimension, each element has a norm of its own.
  Value* norm =
      dims.empty() ? c.build.abs(v) : c.build.sqrt(c.build.sum(c.build.mul(v, v), dims, true));
  Values values = {c.build.mul(v, c.build.div(c.tensor(1), norm))};
  // The archive has other sizes than PyTorch gives for the norms of one dimension.
  if (c.output_count() > 1) {
    values.push_back(norm->sizes() == c.output(1)->sizes() ? norm : nullptr);
  }
  return values;
}

constexpr Entry kRules[] = {
    {"aten.batch_norm.default aten.native_batch_norm.default "
     "aten._native_batch_norm_legit_functional.default aten._batch_norm_impl_index.default",
     batch_norm},
    {"aten._batch_norm_no_update.default", batch_norm_no_update},
    {"aten._native_batch_norm_legit.no_stats", batch_norm_without_running},
    {"aten.instance_norm.default", instance_norm},
    {"aten.group_norm.default", group_norm},
    {"aten.native_group_norm.default", native_group_norm},
    {"aten.layer_norm.default aten.native_layer_norm.default", layer_norm},
    {"aten.rms_norm.default aten._fused_rms_norm.default", rms_norm},
    {"aten._weight_norm.default aten._weight_norm_interface.default", weight_norm},
};

}  // namespace

std::span<const Entry> normalization_rules() { return kRules; }

}  // namespace slipway::passes::decompositions
