// Sums of float16 and bfloat16 numbers, and what takes several steps, are made in float32 and
// rounded once, as PyTorch does; ExecuTorch's kernels add up in the type itself. And which numbers
// PyTorch rounds before it computes with them, which the kernels never do.

#include "base/half.h"

#include <cmath>

#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::Value;

// The same call in float32, of which each result is rounded.
Values in_float32(Context& c) {
  bool has_half = false;
  const auto widened = [&](Value* x) {
    if (!x || !x->is_tensor() || !is_half(x->dtype())) return x;
    has_half = true;
    return c.build.to_dtype(x, DType::kFloat32);
  };
  std::vector<ir::Argument> args = c.node().args();
  for (ir::Argument& argument : args) {
    if (auto* value = std::get_if<Value*>(&argument)) *value = widened(*value);
    if (auto* values = std::get_if<std::vector<Value*>>(&argument)) {
      for (Value*& value : *values) value = widened(value);
    }
    auto* dtype = std::get_if<DType>(&argument);
    if (dtype && is_half(*dtype)) *dtype = DType::kFloat32;
  }
  if (!has_half) return {};
  ir::Node* wide = c.build.node(c.op(), std::move(args));
  Values results;
  for (size_t i = 0; i < c.output_count(); ++i) {
    ir::TensorType type = c.output(i)->type();
    if (is_half(type.dtype)) type.dtype = DType::kFloat32;
    results.push_back(c.build.graph().add_output(wide, std::move(type)));
  }
  for (size_t i = 0; i < results.size(); ++i) {
    results[i] = c.build.to_dtype(results[i], c.output(i)->dtype());
  }
  return results;
}

// The half type that a call's tensors are converted to, if they are: those without dimensions give
// way to the others.
std::optional<DType> common_half(Context& c) {
  std::optional<DType> common;
  for (const bool has_dims : {true, false}) {
    if (common) break;
    for (size_t i = 0; i < c.node().args().size(); ++i) {
      if (!c.is_tensor(i) || (c.tensor(i)->rank() > 0) != has_dims) continue;
      const DType dtype = c.tensor(i)->dtype();
      if (!is_floating_point(dtype)) continue;
      if (common && dtype != *common) return std::nullopt;
      common = dtype;
    }
  }
  return common && is_half(*common) ? common : std::nullopt;
}

// PyTorch makes a number, and a tensor without dimensions, a half first, except where it multiplies
// or divides by one.
Values with_half_numbers(Context& c) {
  const auto half = common_half(c);
  if (!half) return {};
  bool changed = false;
  std::vector<ir::Argument> args = c.node().args();
  for (ir::Argument& argument : args) {
    if (auto* value = std::get_if<Value*>(&argument)) {
      if (!*value || !(*value)->is_tensor() || (*value)->dtype() == *half ||
          !is_floating_point((*value)->dtype())) {
        continue;
      }
      *value = c.build.to_dtype(*value, *half);
      changed = true;
    } else if (const auto number = ir::to_scalar(argument)) {
      const auto* integer = std::get_if<ir::SymInt>(&*number);
      if (std::holds_alternative<bool>(*number) || (integer && !integer->constant())) continue;
      const double exact = ir::to_double(*number);
      const double rounded_once = rounded_to(exact, *half);
      if (std::isnan(exact) || rounded_once == exact) continue;
      argument = rounded_once;
      changed = true;
    }
  }
  if (!changed) return {};
  return {c.build.call(c.op(), std::move(args), c.dtype(), c.sizes())};
}

// PyTorch rounds a quotient down before it is made a half, and rounds it towards zero after, except
// where it divides by one number.
Values half_quotient(Context& c) {
  const bool is_floor = c.op().starts_with("aten.floor_divide.");
  if (is_floor || (c.has(2) && c.text(2) == "floor")) return in_float32(c);
  if (!c.has(2) || !is_half(c.dtype())) return {};
  if (!c.is_tensor(1) || c.tensor(1)->type().numel() == ir::SymInt(1)) return in_float32(c);
  Value* quotient = c.build.div(c.tensor(0), c.tensor(1));
  return {c.build.trunc(c.build.to_dtype(quotient, c.dtype()))};
}

constexpr Entry kHalfRules[] = {
    {"aten.div.Tensor_mode aten.div.Scalar_mode aten.divide.Tensor_mode aten.divide.Scalar_mode "
     "aten.floor_divide.default aten.floor_divide.Scalar",
     half_quotient},
    {"aten.add.Tensor aten.add.Scalar aten.sub.Tensor aten.sub.Scalar aten.subtract.Tensor "
     "aten.subtract.Scalar aten.rsub.Tensor aten.rsub.Scalar aten.pow.Scalar "
     "aten.pow.Tensor_Scalar aten.fmod.Tensor aten.fmod.Scalar aten.remainder.Tensor "
     "aten.remainder.Scalar aten.remainder.Scalar_Tensor "
     "aten.eq.Tensor aten.eq.Scalar aten.ne.Tensor aten.ne.Scalar aten.not_equal.Tensor "
     "aten.not_equal.Scalar aten.lt.Tensor aten.lt.Scalar aten.less.Tensor aten.less.Scalar "
     "aten.le.Tensor aten.le.Scalar aten.less_equal.Tensor aten.less_equal.Scalar aten.gt.Tensor "
     "aten.gt.Scalar aten.greater.Tensor aten.greater.Scalar aten.ge.Tensor aten.ge.Scalar "
     "aten.greater_equal.Tensor aten.greater_equal.Scalar",
     with_half_numbers},
    {"aten.convolution.default aten.mm.default aten.bmm.default aten.addmm.default "
     "aten.baddbmm.default aten._grouped_mm.default transformers.grouped_mm_fallback.default "
     "aten.linear.default aten.sum.default "
     "aten.sum.dim_IntList "
     "aten.mean.default aten.mean.dim aten.var.default aten.var.dim aten.var.correction "
     "aten.std.default aten.std.dim aten.std.correction aten.var_mean.correction "
     "aten._softmax.default aten._log_softmax.default aten.logsumexp.default "
     "aten.cumsum.default aten.native_layer_norm.default aten.native_group_norm.default "
     "aten._native_batch_norm_legit_no_training.default aten._native_batch_norm_legit.no_stats "
     "aten.instance_norm.default aten.avg_pool2d.default aten.avg_pool3d.default "
     "aten._adaptive_avg_pool2d.default aten.adaptive_avg_pool3d.default "
     "aten._adaptive_avg_pool3d.default aten.softplus.default "
     "aten.mish.default aten.addcmul.default aten.addcdiv.default aten.lerp.Scalar "
     "aten.lerp.Tensor aten.logaddexp.default aten.log_sigmoid.default "
     "aten.smooth_l1_loss.default aten.huber_loss.default aten.binary_cross_entropy.default "
     "aten.lgamma.default aten.special_gammaln.default aten.digamma.default "
     "aten.special_digamma.default aten.round.decimals aten.special_round.default "
     "aten.special_psi.default aten.erfc.default aten.special_erfc.default aten.erfinv.default "
     "aten.special_erfinv.default aten.sinc.default aten.special_sinc.default "
     "aten.threshold.default aten.scatter_add.default aten.scatter_reduce.two",
     in_float32},
};

}  // namespace

std::span<const Entry> half_rules() { return kHalfRules; }

}  // namespace slipway::passes::decompositions
