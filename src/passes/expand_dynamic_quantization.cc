// Quantization by numbers that are known only when the program runs, as PyTorch's own steps.
//
// ExecuTorch's kernels choose other scales than PyTorch does, and engines have neither the float64
// in which PyTorch hands scales on nor the operators. PyTorch computes scales in float32, so that
// nothing is lost without float64.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/half.h"
#include "base/try.h"
#include "ir/arguments.h"
#include "ir/op_builder.h"
#include "passes/decompositions/quantization_steps.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace slipway::passes {
namespace {

using decompositions::Chosen;
using decompositions::divide;
using decompositions::kLeastLevel;
using decompositions::kMostLevel;
using ir::Node;
using ir::OpBuilder;
using ir::Scalar;
using ir::Value;

constexpr std::string_view kTorchao = "torchao.";
constexpr double kSmallestTokenScale = 1e-5;
constexpr double kFloatEpsilon = 0x1p-23;

bool is_float32(const Node& node, size_t i) {
  const auto* value = std::get_if<Value*>(&node.arg(i));
  return value && *value && (*value)->is_tensor() && (*value)->dtype() == DType::kFloat32;
}

double number(const Node& node, size_t i) {
  const auto scalar = ir::to_scalar(node.arg(i));
  return scalar ? ir::to_double(*scalar) : 0;
}

class QuantizationExpander {
 public:
  explicit QuantizationExpander(ir::Graph& graph) : graph_(graph) {}

  Status run() {
    for (const auto& node : graph_.nodes()) {
      const std::string& op = node->op();
      constexpr std::string_view kDomain = "quantized_decomposed.";
      OpBuilder build(graph_, node.get(), node.get());
      if (op.starts_with(kTorchao)) {
        expand_affine(build, *node, std::string_view(op).substr(kTorchao.size()));
        if (!build.status().ok()) return build.status();
      }
      if (!op.starts_with(kDomain)) continue;
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

  // So that what is farthest from 0 is at the end of half the range.
  static Value* symmetric_scale(OpBuilder& build, Value* x, const std::vector<int64_t>& dims,
                                bool keepdim, double range, double eps) {
    const auto [least, most] = decompositions::extrema_with_0(build, x, dims, keepdim);
    Value* farthest = build.maximum(build.neg(least), most);
    return build.clamp(divide(build, farthest, range / 2), Scalar(eps), std::nullopt);
  }

  void choose(OpBuilder& build, const Node& node, std::string_view name) {
    if (!is_float32(node, 0)) return;
    Value* x = node.value(0);
    const bool is_token = name.find("per_token") != std::string_view::npos;
    const std::vector<int64_t> dims = is_token ? std::vector<int64_t>{-1} : std::vector<int64_t>{};
    if (name == "choose_qparams_per_token.default") {
      Value* scale = build.amax(build.abs(x), dims, true);
      scale = build.clamp(scale, Scalar(kSmallestTokenScale), std::nullopt);
      scale = divide(build, scale, kMostLevel);
      return bind(build, node, scale, build.full_like(scale, 0.0));
    }
    if (name == "choose_qparams.tensor") {
      const Chosen by = decompositions::choose_affine(build, x, dims, false, number(node, 1),
                                                      number(node, 2), number(node, 3));
      return bind(build, node, by.scale, by.zero);
    }
    const double low = is_token ? kLeastLevel : number(node, 1);
    const double high = is_token ? kMostLevel : number(node, 2);
    if (name == "choose_qparams_symmetric.tensor") {
      Value* scale = symmetric_scale(build, x, dims, false, high - low, number(node, 3));
      const bool is_unsigned = node.arg(4) == ir::Argument(DType::kUInt8);
      return bind(build, node, scale, build.full_like(scale, is_unsigned ? 128.0 : 0.0));
    }
    auto [least, most] = decompositions::extrema_with_0(build, x, dims, is_token);
    Value* scale = divide(build, build.sub(most, least), high - low);
    scale = build.clamp(scale, Scalar(kFloatEpsilon), std::nullopt);
    least = build.div(least, scale);
    // From the end of the range that is met with the smaller error.
    most = build.div(most, scale);
    Value* error = build.add(build.add(least, low), build.add(most, high));
    Value* zero = build.where(build.gt(error, 0.0), build.rsub(least, low), build.rsub(most, high));
    zero = build.clamp(zero, Scalar(low), Scalar(high));
    bind(build, node, scale, build.round(zero));
  }

  // torchao's operators for blocks of a tensor, where these are its rows or, of constants, parts of
  // them. Others stay.
  void expand_affine(OpBuilder& build, const Node& node, std::string_view name) {
    const ir::Arguments arguments(node);
    Value* x = arguments.tensor(0);
    const auto block = arguments.integers(name == "choose_qparams_affine.default" ? 2 : 1);
    if (x == nullptr || !block || x->rank() == 0 || block->size() != x->sizes().size()) return;
    const bool has_ones = std::all_of(block->begin(), block->end() - 1,
                                      [](const ir::SymInt& size) { return size == ir::SymInt(1); });
    if (!has_ones || node.outputs().empty() || !node.output()->is_tensor()) return;
    const bool is_row = block->back() == x->sizes().back();
    if (name == "choose_qparams_affine.default") {
      if (is_row && is_float32(node, 0)) choose_affine(build, node);
    } else if (name == "quantize_affine.default" && is_row) {
      quantize_affine(build, node);
    } else if (name == "dequantize_affine.default") {
      dequantize_affine(build, node, block->back());
    }
  }

  // The numbers of arguments i and i + 1; those of int8 unless they are given.
  static std::pair<double, double> range(const Node& node, size_t i) {
    const ir::Arguments arguments(node);
    return {arguments.number(i).value_or(kLeastLevel),
            arguments.number(i + 1).value_or(kMostLevel)};
  }

  // (x, mapping, block, dtype, min, max, eps, scale_dtype, zero_point_dtype, keepdim)
  void choose_affine(OpBuilder& build, const Node& node) {
    const ir::Arguments arguments(node);
    const std::string* mapping = arguments.text(1);
    if (mapping == nullptr || arguments.dtype(3) != DType::kInt8 || node.outputs().size() != 2 ||
        node.output(0)->dtype() != DType::kFloat32) {
      return;
    }
    const auto [low, high] = range(node, 4);
    const double eps = arguments.number(6).value_or(std::numeric_limits<float>::min());
    Value* x = node.value(0);
    if (*mapping == "ASYMMETRIC") {
      const Chosen by = decompositions::choose_affine(build, x, {-1}, true, low, high, eps);
      return bind(build, node, by.scale, by.zero);
    }
    if (*mapping != "SYMMETRIC") return;
    Value* scale = symmetric_scale(build, x, {-1}, true, high - low, eps);
    bind(build, node, scale, build.full_like(scale, 0.0));
  }

  // (x, block, scale, zero_point, dtype, min, max)
  void quantize_affine(OpBuilder& build, const Node& node) {
    const auto found = parameters(node, 2);
    if (!found || !is_float32(node, 0) || node.output()->dtype() != DType::kInt8) return;
    const auto [low, high] = range(node, 5);
    Value* level = decompositions::quantize_by(build, node.value(0), *found, low, high);
    floats_[node.output()] = level;
    replaced_.add(node.output(), build.to_dtype(level, node.output()->dtype()));
  }

  // (levels, block, scale, zero_point, dtype, min, max, output_dtype)
  void dequantize_affine(OpBuilder& build, const Node& node, const ir::SymInt& block) {
    const Value* levels = node.value(0);
    const DType type = node.output()->dtype();
    if (levels->dtype() != DType::kInt8 || !(type == DType::kFloat32 || is_half(type))) return;
    const auto found = parameters(node, 2);
    const auto known = floats_.find(levels);
    if (found && known != floats_.end() && type == DType::kFloat32) {
      return replaced_.add(node.output(),
                           decompositions::dequantize_by(build, known->second, *found));
    }
    // [..., columns] as [..., groups, size].
    const auto size = block.constant();
    const auto columns = levels->sizes().back().constant();
    Value* scale = ir::Arguments(node).tensor(2);
    if (found || !size || !columns || *size < 1 || *columns % *size != 0 || scale == nullptr)
      return;
    std::vector<ir::SymInt> sizes = levels->sizes();
    if (*size != *columns) {
      sizes.back() = *columns / *size;
      sizes.emplace_back(*size);
    }
    std::vector<ir::SymInt> ones = sizes;
    ones.back() = 1;
    const auto of_groups = [&](Value* numbers, DType as) {
      return build.view(build.to_dtype(numbers, as), ones);
    };
    // Scales of another type are multiplied in float32.
    const DType product = scale->dtype() == type ? type : DType::kFloat32;
    Value* y = build.to_dtype(build.view(node.value(0), sizes), type);
    if (Value* zero = ir::Arguments(node).tensor(3)) y = build.sub(y, of_groups(zero, type));
    y = build.mul(build.to_dtype(y, product), of_groups(scale, product));
    y = build.to_dtype(y, type);
    replaced_.add(node.output(), build.view(y, levels->sizes()));
  }

  // Arguments i and i + 1 of a node, in float32; nothing where something else chose them.
  std::optional<Chosen> parameters(const Node& node, size_t i = 1) const {
    const ir::Arguments arguments(node);
    const auto scale = floats_.find(arguments.tensor(i));
    const auto zero = floats_.find(arguments.tensor(i + 1));
    if (scale == floats_.end() || zero == floats_.end()) return std::nullopt;
    return Chosen{scale->second, zero->second};
  }

  void quantize(OpBuilder& build, const Node& node, bool is_token) {
    const auto found = parameters(node);
    if (!found || !is_float32(node, 0)) return;
    const double low = number(node, 3);
    const double high = number(node, 4);
    const auto quantize_by =
        is_token ? decompositions::quantize_token_by : decompositions::quantize_by;
    Value* level = quantize_by(build, node.value(0), *found, low, high);
    floats_[node.output()] = level;
    replaced_.add(node.output(), build.to_dtype(level, node.output()->dtype()));
  }

  void dequantize(OpBuilder& build, const Node& node) {
    const auto found = parameters(node);
    if (!found) return;
    const auto level = floats_.find(node.value(0));
    Value* x =
        level != floats_.end() ? level->second : build.to_dtype(node.value(0), DType::kFloat32);
    x = decompositions::dequantize_by(build, x, *found);
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
