#include "onnx/value_types.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string_view>
#include <variant>
#include <vector>

#include "onnx/attributes.h"

namespace slipway::onnx {

namespace {

DType from_onnx(int64_t type) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (onnx_type(static_cast<DType>(i)) == type) return static_cast<DType>(i);
  }
  return DType::kFloat32;
}

DType input_type(const Node& node, size_t i, const ValueTypes& types) {
  const auto found = i < node.inputs.size() ? types.find(node.inputs[i]) : types.end();
  return found == types.end() ? DType::kFloat32 : found->second;
}

DType output_type(const Node& node, size_t output, const ValueTypes& types) {
  static const std::set<std::string_view> kBool = {"And",   "Equal", "Greater", "GreaterOrEqual",
                                                   "IsInf", "IsNaN", "Less",    "LessOrEqual",
                                                   "Not",   "Or",    "Xor"};
  static const std::set<std::string_view> kInt64 = {"ArgMax", "ArgMin", "NonZero", "Shape", "Size"};
  if (kBool.contains(node.op_type)) return DType::kBool;
  if (kInt64.contains(node.op_type)) return DType::kInt64;
  if (node.op_type == "Cast") {
    const auto* to = attribute<int64_t>(node, "to");
    return to ? from_onnx(*to) : DType::kFloat32;
  }
  if (node.op_type == "If") {
    const auto* branch = attribute<std::shared_ptr<Graph>>(node, "then_branch");
    return branch && output < (*branch)->outputs.size() ? (*branch)->outputs[output].dtype
                                                        : DType::kFloat32;
  }
  const bool has_indices = node.op_type == "TopK" || node.op_type == "MaxPool";
  if (has_indices && output == 1) return DType::kInt64;
  if (node.op_type == "Where" || node.op_type == "DequantizeLinear") {
    return input_type(node, 1, types);
  }
  if (node.op_type == "QuantizeLinear") {
    return node.inputs.size() > 2 ? input_type(node, 2, types) : DType::kUInt8;
  }
  return input_type(node, 0, types);
}

}  // namespace

ValueTypes value_types(const Graph& graph) {
  ValueTypes types;
  for (const ValueType& input : graph.inputs) types[input.name] = input.dtype;
  for (const Initializer& initializer : graph.initializers) {
    types[initializer.name] = initializer.dtype;
  }
  ValueTypes declared;
  for (const auto* values : {&graph.values, &graph.outputs}) {
    for (const ValueType& value : *values) declared[value.name] = value.dtype;
  }
  for (const Node& node : graph.nodes) {
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i].empty()) continue;
      const auto known = declared.find(node.outputs[i]);
      types[node.outputs[i]] =
          known != declared.end() ? known->second : output_type(node, i, types);
    }
  }
  return types;
}

}  // namespace slipway::onnx
