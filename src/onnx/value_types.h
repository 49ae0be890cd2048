// The element types of a graph's values.
#pragma once

#include <string>
#include <unordered_map>

#include "onnx/graph.h"
#include "slipway/tensor.h"

namespace slipway::onnx {

using ValueTypes = std::unordered_map<std::string, DType>;

// By name: inputs, initializers and the results of nodes, but not what branches keep to themselves.
ValueTypes value_types(const Graph& graph);

}  // namespace slipway::onnx
