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

struct Normalized {
  Value* y;
  Value* mean;
  Value* scale;  // the reciprocal of the deviation
};

enum class Constant { kDivides, kVanishes };

// ExecuTorch's kernels take the variance as the difference of two large numbers, in float32: what
// is left is noise where the mean is large. Here it is the mean of squares of what lies around the
// mean. Without an eps, `constant` says what becomes of elements that are all equal.
Normalized normalized(Context& c, Value* x, const std::vector<int64_t>& dims, double eps,
                      Constant constant) {
  const auto mean_of = [&](Value* of) { return c.build.mean(of, dims, true, DType::kFloat64); };
  Value* mean = c.build.to_dtype(mean_of(x), x->dtype());
  Value* centred = c.build.sub(x, mean);
  Value* var = mean_of(c.build.mul(centred, centred));
  Value* scale = c.build.rsqrt(c.build.add(var, eps));
  if (eps == 0 && constant == Constant::kVanishes) {
    scale = c.build.masked_fill(scale, c.build.eq(var, 0), 0.0);
  }
  scale = c.build.to_dtype(scale, x->dtype());
  return {c.build.mul(centred, scale), mean, scale};
}

// Times the weight and plus the bias, which may be null, of each channel.
Value* by_channel(Context& c, Value* y, Value* weight, Value* bias) {
  Sizes channel(y->sizes().size(), 1);
  channel.at(1) = y->sizes().at(1);
  if (weight) y = c.build.mul(y, c.build.view(weight, channel));
  if (bias) y = c.build.add(y, c.build.view(bias, channel));
  return y;
}

// By the statistics of the batch itself: the result, its mean and the reciprocal of its deviation.
Values by_batch(Context& c, const BatchNorm& p, double eps) {
  Value* x = c.tensor(0);
  std::vector<int64_t> dims = {0};
  for (int64_t d = 2; d < x->rank(); ++d) dims.push_back(d);
  const Normalized n = normalized(c, x, dims, eps, Constant::kVanishes);
  const Sizes line = {x->sizes().at(1)};
  return {by_channel(c, n.y, p.weight, p.bias), c.build.view(n.mean, line),
          c.build.view(n.scale, line)};
}

// (input, weight, bias, mean, var, training, momentum, eps, ...)
Values batch_norm(Context& c) {
  const BatchNorm p = parameters(c);
  const bool training = c.flag(5) || !p.mean || !p.var;
  if (training && p.mean) return c.unsupported(kTraining);
  if (!training) {
    Values values = with_no_statistics(c, by_running(c, p, c.real(6), c.real(7)));
    // What the running ones are afterwards.
    if (c.op() == "aten._native_batch_norm_legit_functional.default") {
      values.at(3) = p.mean;
      values.at(4) = p.var;
    }
    return values;
  }
  if (c.output_count() > 1) return c.unsupported(kTraining);
  return {by_batch(c, p, c.real(7)).at(0)};
}

// (input, weight, bias, training, momentum, eps)
Values batch_norm_without_running(Context& c) {
  return by_batch(c, {c.tensor_or_null(1), c.tensor_or_null(2), nullptr, nullptr}, c.real(5));
}

// (input, weight, bias, mean, var, momentum, eps)
Values batch_norm_no_update(Context& c) {
  return with_no_statistics(c, by_running(c, parameters(c), c.real(5), c.real(6)));
}

// By the statistics of each group of channels.
Normalized by_groups(Context& c, const SymInt& groups, double eps, Constant constant) {
  Value* x = c.tensor(0);
  const SymInt channels = SymInt::floordiv(x->sizes().at(1), groups);
  Sizes group(x->sizes().begin() + 2, x->sizes().end());
  group.push_back(channels);
  Value* grouped = c.build.view(x, {x->sizes().at(0), groups, ir::numel(group)});
  Normalized n = normalized(c, grouped, {2}, eps, constant);
  n.y = by_channel(c, c.build.view(n.y, x->sizes()), c.tensor_or_null(1), c.tensor_or_null(2));
  return n;
}

// (input, weight, bias, mean, var, use_input_stats, momentum, eps, ...)
Values instance_norm(Context& c) {
  const BatchNorm p = parameters(c);
  if (!c.flag(5)) return {by_running(c, p, c.real(6), c.real(7))};
  if (p.mean) return c.unsupported(kTraining);
  const SymInt channels = c.sizes().at(1);
  if (channels == SymInt(0)) return {c.tensor(0)};
  return {by_groups(c, channels, c.real(7), Constant::kVanishes).y};
}

// (input, groups, weight, bias, eps, ...)
Values group_norm(Context& c) {
  return {c.build.native_group_norm(c.tensor(0), c.tensor_or_null(2), c.tensor_or_null(3),
                                    c.constant(1), c.real(4))};
}

// (input, weight, bias, N, C, HxW, groups, eps)
Values native_group_norm(Context& c) {
  const int64_t groups = c.constant(6);
  if (groups < 1) return c.unsupported("it has no groups");
  const Normalized n = by_groups(c, groups, c.real(7), Constant::kDivides);
  const Sizes line = {c.sizes().at(0), groups};
  return {n.y, c.build.view(n.mean, line), c.build.view(n.scale, line)};
}

// Half precision is computed in float32, as PyTorch does.
Value* widened(Context& c, Value* x) {
  return x->dtype() == DType::kFloat64 ? x : c.build.to_dtype(x, DType::kFloat32);
}

// Rounded once, also with a weight and a bias of float32.
Values layer_norm(Context& c) {
  Value* x = widened(c, c.tensor(0));
  std::vector<int64_t> dims;
  const auto count = static_cast<int64_t>(c.integers(1).size());
  for (int64_t d = x->rank() - count; d < x->rank(); ++d) dims.push_back(d);
  const Normalized n = normalized(c, x, dims, c.real(4), Constant::kDivides);
  Value* y = c.has(2) ? c.build.mul(n.y, c.tensor(2)) : n.y;
  if (c.has(3)) y = c.build.add(y, c.tensor(3));
  y = c.build.to_dtype(y, c.output(0)->dtype());
  if (c.output_count() == 1) return {y};
  return {y, c.build.to_dtype(n.mean, c.output(1)->dtype()),
          c.build.to_dtype(n.scale, c.output(2)->dtype())};
}

// Of the type that PyTorch computes in.
double machine_epsilon(DType dtype) {
  return dtype == DType::kFloat64 ? std::numeric_limits<double>::epsilon()
                                  : std::numeric_limits<float>::epsilon();
}

Values rms_norm(Context& c) {
  Value* x = c.tensor(0);
  const double eps = c.has(3) ? c.real(3) : machine_epsilon(x->dtype());
  std::vector<int64_t> dims;
  const auto count = static_cast<int64_t>(c.integers(1).size());
  for (int64_t d = -count; d < 0; ++d) dims.push_back(d);
  Value* wide = widened(c, x);
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
  Value* squares = c.build.mul(v, v);
  Value* norm = c.build.sqrt(dims.empty() ? squares : c.build.sum(squares, dims, true));
  Values values = {c.build.mul(v, c.build.div(c.tensor(1), norm))};
  // The archive has other sizes than PyTorch gives for the norms of one dimension.
  if (c.output_count() > 1) {
    values.push_back(norm->sizes() == c.output(1)->sizes() ? norm : nullptr);
  }
  return values;
}

constexpr Entry kNormalizationRules[] = {
    {"aten.batch_norm.default aten.native_batch_norm.default "
     "aten._native_batch_norm_legit_functional.default aten._native_batch_norm_legit.default "
     "aten._batch_norm_impl_index.default",
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

std::span<const Entry> normalization_rules() { return kNormalizationRules; }

}  // namespace slipway::passes::decompositions
