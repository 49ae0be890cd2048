// The sizes of an engine's outputs, as its delegate computes them (openvino/shim/size_inputs.h).
#pragma once

#include <string>

#include "onnx/graph.h"

namespace slipway::openvino {

// Empty where some output always has elements, or has a size that the inputs don't tell.
std::string output_sizes(const onnx::Graph& graph);

}  // namespace slipway::openvino
