#include "tensorrt/builder/support.h"

#include <algorithm>
#include <string_view>

#include <fmt/core.h>

#include "ir/arguments.h"
#include "ir/queries.h"
#include "schema/operator_name.h"

namespace slipway::tensorrt {

namespace {

// TensorRT's own limit for TopK, which its parser does not know.
constexpr int64_t kMostTopK = 3840;

struct Kept {
  std::string_view op;  // with or without its overload
  std::string_view reason;
};
constexpr Kept kKept[] = {
    {"aten.bitwise_xor", "TensorRT has no BitwiseXor"},
    {"aten.__xor__", "TensorRT has no BitwiseXor"},
    {"aten.index_add", "TensorRT has no scatter that reduces"},
    {"aten.scatter_add", "TensorRT has no scatter that reduces"},
    {"aten.scatter_reduce", "TensorRT has no scatter that reduces"},
    {"aten.scatter.reduce", "TensorRT has no scatter that reduces"},
    {"aten.scatter.value_reduce", "TensorRT has no scatter that reduces"},
    {"aten.embedding_bag", "TensorRT has no scatter that reduces, which bags of uneven sizes take"},
    {"aten._embedding_bag",
     "TensorRT has no scatter that reduces, which bags of uneven sizes take"},
    {"aten._embedding_bag_forward_only",
     "TensorRT has no scatter that reduces, which bags of uneven sizes take"},
    {"aten.nonzero", "TensorRT needs an output allocator for sizes that depend on data"},
    {"aten.masked_select", "TensorRT needs an output allocator for sizes that depend on data"},
};

// Why no operator is given tensors of this element type.
std::optional<std::string> why_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kFloat16:
    case DType::kBFloat16:
    case DType::kInt32:
    case DType::kInt64:
    case DType::kBool:
      return std::nullopt;
    case DType::kFloat64:
      return "TensorRT's parser narrows float64 to float32";
    case DType::kInt16:
    case DType::kUInt16:
      return fmt::format("TensorRT has no {}", dtype_name(dtype));
    case DType::kInt8:
    case DType::kUInt8:
      return fmt::format("TensorRT has {} for quantized values and pictures only",
                         dtype_name(dtype));
    default:
      return fmt::format("TensorRT has no {}", dtype_name(dtype));
  }
}

bool is(const ir::Node& node, std::string_view op) { return schema::matches(node.op(), op); }

bool is_quantization(const ir::Node& node, std::string_view verb) {
  return is(node, fmt::format("quantized_decomposed.{}_per_tensor", verb)) ||
         is(node, fmt::format("quantized_decomposed.{}_per_channel", verb));
}

// What a node is looked at in.
struct Place {
  const ir::Program& program;
  const ir::Graph& graph;
};

// Whether nothing but dequantization reads what a node quantizes.
bool is_only_dequantized(const Place& place, const ir::Value* value) {
  bool only = true;
  const auto look = [&](const ir::Argument& argument, bool dequantizes) {
    ir::Graph::for_each_value(
        argument, [&](const ir::Value* read) { only = only && (read != value || dequantizes); });
  };
  for (const auto& node : place.graph.nodes()) {
    const bool dequantizes = is_quantization(*node, "dequantize");
    for (size_t i = 0; i < node->args().size(); ++i) look(node->arg(i), dequantizes && i == 0);
  }
  for (const ir::Argument& output : place.graph.outputs()) look(output, false);
  return only;
}

// The argument or result of 8 bits that TensorRT has in them, or as float32: a quantized value, or
// a weight that the node reads as float32; null where there is none.
const ir::Value* quantized_value(const Place& place, const ir::Node& node) {
  if (is_quantization(node, "quantize")) {
    return is_only_dequantized(place, node.output()) ? node.output() : nullptr;
  }
  const bool dequantizes = is_quantization(node, "dequantize");
  const bool converts = is(node, "aten._to_copy") || is(node, "aten.to");
  if (!dequantizes && !converts) return nullptr;
  const ir::Value* value = node.value(0);
  const ir::Node* producer = value->producer();
  if (producer && dequantizes && is_quantization(*producer, "quantize")) {
    return is_only_dequantized(place, value) ? value : nullptr;
  }
  if (value->dtype() != DType::kInt8 || node.output()->dtype() != DType::kFloat32) return nullptr;
  if (converts && value->rank() < 2) return nullptr;
  return ir::constant_inputs(place.program).contains(value) ? value : nullptr;
}

std::optional<std::string> why_kept(const Place& place, const ir::Node& node);

std::optional<std::string> why_tensors(const Place& place, const ir::Node& node) {
  std::optional<std::string> reason;
  const ir::Value* quantized = quantized_value(place, node);
  const auto look = [&](const ir::Value* value) {
    if (value->is_tensor() && value != quantized && !reason) reason = why_type(value->dtype());
  };
  for (const ir::Argument& argument : node.args()) {
    ir::Graph::for_each_value(argument, look);
    ir::Graph::for_each_graph(argument, [&](const std::shared_ptr<ir::Graph>& graph) {
      for (const auto& inner : graph->nodes()) {
        if (!reason) reason = why_kept({place.program, *graph}, *inner);
      }
    });
  }
  for (const ir::Value* output : node.outputs()) look(output);
  return reason;
}

bool is_empty(const ir::Value& value) {
  const auto& sizes = value.sizes();
  return std::find(sizes.begin(), sizes.end(), ir::SymInt(0)) != sizes.end();
}

// Whether argument i, integers, holds another than 1.
bool has_other_than_one(const ir::Node& node, size_t i) {
  const auto list = ir::Arguments(node).integers(i);
  return list && std::any_of(list->begin(), list->end(),
                             [](const ir::SymInt& number) { return number != ir::SymInt(1); });
}

// A transposed convolution with holes between its inputs and between its weights.
bool is_strided_and_dilated(const ir::Node& node) {
  if (is(node, "aten.convolution")) {
    return ir::Arguments(node).flag(6).value_or(false) && has_other_than_one(node, 3) &&
           has_other_than_one(node, 5);
  }
  const bool is_transposed = is(node, "aten.conv_transpose1d") ||
                             is(node, "aten.conv_transpose2d") || is(node, "aten.conv_transpose3d");
  return is_transposed && has_other_than_one(node, 3) && has_other_than_one(node, 7);
}

// How many elements a TopK would give; nothing for other operators.
std::optional<ir::SymInt> top_k(const ir::Node& node) {
  const ir::Arguments arguments(node);
  if (is(node, "aten.topk")) return arguments.integer(1);
  if (!is(node, "aten.sort") && !is(node, "aten.argsort")) return std::nullopt;
  const auto& sizes = node.value(0)->sizes();
  if (sizes.empty()) return ir::SymInt(1);
  // sort(x, dim), sort.stable(x, stable, dim)
  const size_t position = node.op().ends_with(".stable") ? 2 : 1;
  const auto dim = arguments.dim(position, static_cast<int64_t>(sizes.size()));
  return dim ? std::optional(sizes[static_cast<size_t>(*dim)]) : std::nullopt;
}

std::optional<std::string> why_kept(const Place& place, const ir::Node& node) {
  for (const Kept& kept : kKept) {
    if (is(node, kept.op)) return std::string(kept.reason);
  }
  if (is(node, "aten.index_put") || is(node, "aten._unsafe_index_put")) {
    if (ir::Arguments(node).flag(3).value_or(false)) return "TensorRT has no scatter that reduces";
  }
  if (is(node, "aten.flip") && is_empty(*node.value(0))) {
    return "TensorRT does not build flips of tensors without elements";
  }
  if (is_strided_and_dilated(node)) {
    return "TensorRT has no transposed convolution with both a stride and a dilation";
  }
  if (ir::makes_scaled_size(node)) {
    return "it scales a size by a factor, which PyTorch does in float64, and TensorRT's parser "
           "narrows that";
  }
  if (const auto k = top_k(node)) {
    if (!k->is_constant() || *k->constant() > kMostTopK) {
      return fmt::format("TensorRT sorts out at most {} elements, and these may be more",
                         kMostTopK);
    }
  }
  return why_tensors(place, node);
}

}  // namespace

std::optional<std::string> why_kept(const ir::Program& program, const ir::Node& node) {
  return why_kept({program, *program.graph}, node);
}

}  // namespace slipway::tensorrt
