// Quantization by numbers that are known only when the program runs, as PyTorch's own steps.
//
// ExecuTorch's kernels choose other scales than PyTorch does, and engines have neither the float64
// in which PyTorch hands scales on nor the operators. PyTorch computes scales in float32, so that
// nothing is lost without float64.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/try.h"
#include "ir/op_builder.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace slipway::passes {
namespace {

using ir::Node;
using ir::OpBuilder;
using ir::Scalar;
using ir::Value;

constexpr double kSmallestTokenScale = 1e-5;
constexpr double kFloatEpsilon = 0x1p-23;
constexpr double kLowest = -128;
constexpr double kHighest = 127;

bool is_float32(const Node& node, size_t i) {
  const auto* value = std::get_if<Value*>(&node.arg(i));
  return value && *value && (*value)->is_tensor() && (*value)->dtype() == DType::kFloat32;
}

double number(const Node& node, size_t i) {
  const auto scalar = ir::to_scalar(node.arg(i));
  return scalar ? ir::to_double(*scalar) : 0;
}

// By a tensor of as many elements: kernels multiply with the reciprocal of a single number.
Value* divide(OpBuilder& build, Value* x, double divisor) {
  return build.div(x, build.full_like(x, divisor));
}

class QuantizationExpander {
 public:
  explicit QuantizationExpander(ir::Graph& graph) : graph_(graph) {}

  Status run() {
    for (const auto& node : graph_.nodes()) {
      const std::string& op = node->op();
      constexpr std::string_view kDomain = "quantized_decomposed.";
      if (!op.starts_with(kDomain)) continue;
      OpBuilder build(graph_, node.get(), node.get());
      const std::string_view name = std::string_view(op).substr(kDomain.size());
      if (name.starts_with("choose_qparams")) {
        choose(build, *node, name);
      } else if (name == "quantize_per_tensor.tensor" || name == "quantize_per_token.default") {
        quantize(build, *node, name.starts_with("quantize_per_token"));
      } else if (name == "dequantize_per_tensor.tensor" || name == "dequantize_per_token.default") {
        dequantize(build, *node);
      }
      if (!build.status().ok()) return build.status();
    }
    replaced_.apply(graph_);
    return {};
  }

 private:
  // In float32, for results 0 and 1 of a node.
  void bind(OpBuilder& build, const Node& node, Value* scale, Value* zero) {
    const std::vector<ir::SymInt>& sizes = node.output()->sizes();
    floats_[node.output(0)] = scale;
    floats_[node.output(1)] = zero;
    replaced_.add(node.output(0),
                  build.to_dtype(build.view(scale, sizes), node.output(0)->dtype()));
    replaced_.add(node.output(1), build.to_dtype(build.view(zero, sizes), node.output(1)->dtype()));
  }

  void choose(OpBuilder& build, const Node& node, std::string_view name) {
    if (!is_float32(node, 0)) return;
    Value* x = node.value(0);
    const bool is_token = name.find("per_token") != std::string_view::npos;
    const std::vector<int64_t> dims = is_token ? std::vector<int64_t>{-1} : std::vector<int64_t>{};
    if (name == "choose_qparams_per_token.default") {
      Value* scale = build.amax(build.abs(x), dims, true);
      scale = build.clamp(scale, Scalar(kSmallestTokenScale), std::nullopt);
      scale = divide(build, scale, kHighest);
      return bind(build, node, scale, build.full_like(scale, 0.0));
    }
    Value* least = build.clamp(build.amin(x, dims, is_token), std::nullopt, Scalar(0.0));
    Value* most = build.clamp(build.amax(x, dims, is_token), Scalar(0.0), std::nullopt);
    const double low = is_token ? kLowest : number(node, 1);
    const double high = is_token ? kHighest : number(node, 2);
    if (name == "choose_qparams_symmetric.tensor") {
      most = build.maximum(build.neg(least), most);
      Value* scale =
          build.clamp(divide(build, most, (high - low) / 2), Scalar(number(node, 3)), {});
      const bool is_unsigned = node.arg(4) == ir::Argument(DType::kUInt8);
      return bind(build, node, scale, build.full_like(scale, is_unsigned ? 128.0 : 0.0));
    }
    Value* scale = divide(build, build.sub(most, least), high - low);
    scale = build.clamp(scale, Scalar(is_token ? kFloatEpsilon : number(node, 3)), std::nullopt);
    least = build.div(least, scale);
    if (!is_token) {
      Value* zero = build.rsub(build.round(least), low);
      return bind(build, node, scale, build.clamp(zero, Scalar(low), Scalar(high)));
    }
    // From the end of the range that is met with the smaller error.
    most = build.div(most, scale);
    Value* error = build.add(build.add(least, low), build.add(most, high));
    Value* zero = build.where(build.gt(error, 0.0), build.rsub(least, low), build.rsub(most, high));
    zero = build.clamp(zero, Scalar(low), Scalar(high));
    bind(build, node, scale, build.round(zero));
  }

  // Arguments 1 and 2 of a node, in float32; nothing where something else chose them.
  struct Parameters {
    Value* scale = nullptr;
    Value* zero = nullptr;
  };
  std::optional<Parameters> parameters(const Node& node) const {
    const auto scale = floats_.find(node.value(1));
    const auto zero = floats_.find(node.value(2));
    if (scale == floats_.end() || zero == floats_.end()) return std::nullopt;
    return Parameters{scale->second, zero->second};
  }

  void quantize(OpBuilder& build, const Node& node, bool is_token) {
    const auto found = parameters(node);
    if (!found || !is_float32(node, 0)) return;
    Value* level = build.mul(node.value(0), build.reciprocal(found->scale));
    level = is_token ? build.round(build.add(level, found->zero))
                     : build.add(build.round(level), found->zero);
    level = build.clamp(level, Scalar(number(node, 3)), Scalar(number(node, 4)));
    floats_[node.output()] = level;
    replaced_.add(node.output(), build.to_dtype(level, node.output()->dtype()));
  }

  void dequantize(OpBuilder& build, const Node& node) {
    const auto found = parameters(node);
    if (!found) return;
    const auto level = floats_.find(node.value(0));
    Value* x =
        level != floats_.end() ? level->second : build.to_dtype(node.value(0), DType::kFloat32);
    x = build.mul(build.sub(x, found->zero), found->scale);
    replaced_.add(node.output(), build.to_dtype(x, node.output()->dtype()));
  }

  ir::Graph& graph_;
  // What was chosen or quantized, in float32.
  std::unordered_map<const Value*, Value*> floats_;
  Replacements replaced_;
};

}  // namespace

Status expand_dynamic_quantization(ir::Program& program) {
  Status status;
  for_each_graph(*program.graph, [&](ir::Graph& graph) {
    if (status.ok()) status = QuantizationExpander(graph).run();
  });
  return status.ok() ? remove_dead_code(program) : status;
}

}  // namespace slipway::passes
