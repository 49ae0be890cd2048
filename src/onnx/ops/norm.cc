#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

using ir::SymInt;

struct Moments {
  Ref mean;
  Ref centred;  // x - mean
  Ref rstd;
};

// Over the axes, which keep size 1. The variance is the biased one.
Moments moments(Context& c, const Ref& x, const std::vector<int64_t>& axes, double eps) {
  Moments m;
  m.mean = c.reduce("ReduceMean", x, axes, true);
  m.centred = c.sub(x, m.mean);
  const Ref variance = c.reduce("ReduceMean", c.mul(m.centred, m.centred), axes, true);
  m.rstd = c.op("Reciprocal", {c.op("Sqrt", {c.add(variance, eps)})});
  return m;
}

// y * weight + bias, where they are.
Ref affine(Context& c, Ref y, const Ref& weight, const Ref& bias) {
  if (weight.present()) y = c.mul(y, weight);
  return bias.present() ? c.add(y, bias) : y;
}

// layer_norm(x, normalized_shape, weight, bias, eps): with the mean and 1/std as further results.
void layer_norm(Context& c) {
  const auto axis = static_cast<int64_t>(c.rank(0) - static_cast<int64_t>(c.integers(1).size()));
  const double eps = c.real(4);
  const Ref x = c.tensor(0);
  Ref weight = c.tensor_or_none(2);
  const Ref bias = c.tensor_or_none(3);
  const bool moments_used = c.is_used(1) || c.is_used(2);
  if (c.fused("LayerNormalization") && !moments_used) {
    if (!weight.present()) weight = c.expand(c.number_like(1, x), {}, c.integers(1));
    return c.result(c.op("LayerNormalization", {x, weight, bias},
                         {{"axis", axis}, {"epsilon", static_cast<float>(eps)}}));
  }
  const Moments m = moments(c, x, iota(c.rank(0) - axis, axis), eps);
  const Ref y = affine(c, c.mul(m.centred, m.rstd), weight, bias);
  if (moments_used) {
    c.result(m.mean, 1);
    c.result(m.rstd, 2);
  }
  c.result(y);
}

// x / sqrt(mean(x^2) + eps) * weight
void rms_norm(Context& c) {
  const Ref x = c.tensor(0);
  const auto count = static_cast<int64_t>(c.integers(1).size());
  const int64_t axis = c.rank(0) - count;
  const double epsilon =
      x.dtype == DType::kFloat64 ? 2.220446049250313e-16 : 1.1920928955078125e-07;
  const double eps = c.has(3) ? c.real(3) : epsilon;
  const Ref weight = c.tensor_or_none(2);
  if (c.fused("RMSNormalization") && weight.present()) {
    return c.result(c.op("RMSNormalization", {x, weight},
                         {{"axis", axis}, {"epsilon", static_cast<float>(eps)}}));
  }
  // Half types are computed in float32, as PyTorch does.
  const Ref wide = is_half(x.dtype) ? c.cast(x, DType::kFloat32) : x;
  const Ref square = c.reduce("ReduceMean", c.mul(wide, wide), iota(count, axis), true);
  Ref y = c.mul(wide, c.op("Reciprocal", {c.op("Sqrt", {c.add(square, eps)})}));
  c.result(affine(c, y, weight.present() ? c.cast(weight, wide.dtype) : weight, {}));
}

// A constant vector of the channels' size where the argument is missing.
Ref channel_vector(Context& c, size_t i, double otherwise, const Ref& like,
                   const SymInt& channels) {
  return c.has(i) ? c.tensor(i) : c.expand(c.number_like(otherwise, like), {}, {channels});
}

void normalize_by_statistics(Context& c, size_t mean, size_t variance, double eps) {
  const Ref x = c.tensor(0);
  const SymInt channels = c.type(0).sizes.at(1);
  c.result(c.op("BatchNormalization",
                {x, channel_vector(c, 1, 1, x, channels), channel_vector(c, 2, 0, x, channels),
                 c.tensor(mean), c.tensor(variance)},
                {{"epsilon", static_cast<float>(eps)}}));
}

// With the batch's own statistics, which are further results.
void normalize_by_batch(Context& c, double eps) {
  const int64_t rank = c.rank(0);
  const Ref x = c.tensor(0);
  std::vector<int64_t> axes = {0};
  for (int64_t i = 2; i < rank; ++i) axes.push_back(i);
  const Moments m = moments(c, x, axes, eps);
  const auto as_channels = [&](const Ref& v) {
    return v.present() && rank > 2 ? c.unsqueeze(v, iota(rank - 2, 1)) : v;
  };
  const Ref y = affine(c, c.mul(m.centred, m.rstd), as_channels(c.tensor_or_none(1)),
                       as_channels(c.tensor_or_none(2)));
  const Ref mean = c.is_used(1) ? c.squeeze(m.mean, axes) : Ref{};
  const Ref rstd = c.is_used(2) ? c.squeeze(m.rstd, axes) : Ref{};
  if (mean.present()) c.result(mean, 1);
  if (rstd.present()) c.result(rstd, 2);
  c.result(y);
}

// batch_norm(x, weight, bias, mean, var, training, momentum, eps)
void batch_norm(Context& c) {
  const double eps = c.real(7);
  if (c.flag(5) || !c.has(3)) return normalize_by_batch(c, eps);
  normalize_by_statistics(c, 3, 4, eps);
}

// The same without `training`; its saved statistics are empty.
void batch_norm_no_training(Context& c) {
  const Ref empty = c.constant(c.output(1)->dtype(), {0}, {});
  for (size_t i : {1, 2}) {
    if (c.is_used(i)) c.result(empty, i);
  }
  normalize_by_statistics(c, 3, 4, c.real(6));
}

void batch_norm_no_stats(Context& c) { normalize_by_batch(c, c.real(5)); }

// Statistics within groups of channels; `weight` and `bias` are arguments' indices.
void group_norm(Context& c, int64_t groups, size_t weight, size_t bias, double eps) {
  const Ref x = c.tensor(0);
  const Sizes& sizes = c.type(0).sizes;
  const auto rank = static_cast<int64_t>(sizes.size());
  const auto channel = [&](size_t i) {
    const Ref v = c.tensor_or_none(i);
    return v.present() && rank > 2 ? c.unsqueeze(v, iota(rank - 2, 1)) : v;
  };
  const auto group = [&] {
    const SymInt size = SymInt::floordiv(sizes.at(1), groups) * ir::numel(tail(sizes, 2));
    return c.reshape(x, sizes, {sizes.at(0), groups, size});
  };
  if (c.is_used(1) || c.is_used(2)) {
    const Moments m = moments(c, group(), {2}, eps);
    const Ref y =
        affine(c, c.reshape(c.mul(m.centred, m.rstd), {}, sizes), channel(weight), channel(bias));
    const Ref mean = c.squeeze(m.mean, {2});
    const Ref rstd = c.squeeze(m.rstd, {2});
    c.result(mean, 1);
    c.result(rstd, 2);
    return c.result(y);
  }
  if (c.fused("GroupNormalization")) {
    return c.result(c.op("GroupNormalization",
                         {x, channel_vector(c, weight, 1, x, sizes.at(1)),
                          channel_vector(c, bias, 0, x, sizes.at(1))},
                         {{"num_groups", groups}, {"epsilon", static_cast<float>(eps)}}));
  }
  // An instance normalization of the groups.
  const Ref y = c.op("InstanceNormalization",
                     {group(), c.expand(c.number_like(1, x), {}, {groups}),
                      c.expand(c.number_like(0, x), {}, {groups})},
                     {{"epsilon", static_cast<float>(eps)}});
  c.result(affine(c, c.reshape(y, {}, sizes), channel(weight), channel(bias)));
}

// group_norm(x, groups, weight, bias, eps)
void group_norm_rule(Context& c) { group_norm(c, c.constant(1), 2, 3, c.real(4)); }

// native_group_norm(x, weight, bias, N, C, HxW, groups, eps)
void native_group_norm(Context& c) { group_norm(c, c.constant(6), 1, 2, c.real(7)); }

// instance_norm(x, weight, bias, mean, var, use_input_stats, momentum, eps)
void instance_norm(Context& c) {
  const double eps = c.real(7);
  if (!c.flag(5)) return normalize_by_statistics(c, 3, 4, eps);
  const Ref x = c.tensor(0);
  const SymInt channels = c.type(0).sizes.at(1);
  c.result(c.op("InstanceNormalization",
                {x, channel_vector(c, 1, 1, x, channels), channel_vector(c, 2, 0, x, channels)},
                {{"epsilon", static_cast<float>(eps)}}));
}

constexpr Entry kNormRules[] = {
    {"aten.layer_norm aten.native_layer_norm", layer_norm},
    {"aten.rms_norm", rms_norm},
    {"aten.batch_norm aten.native_batch_norm aten._native_batch_norm_legit", batch_norm},
    {"aten._native_batch_norm_legit_no_training", batch_norm_no_training},
    {"aten._native_batch_norm_legit.no_stats", batch_norm_no_stats},
    {"aten.group_norm", group_norm_rule},
    {"aten.native_group_norm", native_group_norm},
    {"aten.instance_norm", instance_norm},
};

}  // namespace

std::span<const Entry> norm_rules() { return kNormRules; }

}  // namespace slipway::onnx
