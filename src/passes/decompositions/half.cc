// Sums of float16 and bfloat16 numbers are made in float32 and rounded once, as PyTorch does;
// ExecuTorch's kernels add up in the type itself.
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::Value;

bool is_half(DType dtype) { return dtype == DType::kFloat16 || dtype == DType::kBFloat16; }

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

constexpr Entry kRules[] = {
    {"aten.convolution.default aten.mm.default aten.bmm.default aten.addmm.default "
     "aten.baddbmm.default aten.linear.default aten.sum.default aten.sum.dim_IntList "
     "aten.mean.default aten.mean.dim aten.var.default aten.var.dim aten.var.correction "
     "aten.std.default aten.std.dim aten.std.correction aten.var_mean.correction "
     "aten._softmax.default aten._log_softmax.default aten.logsumexp.default "
     "aten.cumsum.default aten.native_layer_norm.default aten.native_group_norm.default "
     "aten.avg_pool2d.default aten._adaptive_avg_pool2d.default",
     in_float32},
};

}  // namespace

std::span<const Entry> half_rules() { return kRules; }

}  // namespace slipway::passes::decompositions
