// Arithmetic of half types by engines that have it in float32.
#pragma once

#include "onnx/graph.h"

namespace slipway::onnx {

// Nodes take and give float32 where they had a half type. As in PyTorch, what an ATen node gives is
// rounded to the half type, and what is between the ONNX nodes that it is made of is not; what only
// moves or chooses elements is not rounded anew. Inputs, outputs, initializers and states keep
// their names and types.
Graph compute_halves_in_float32(Graph graph);

}  // namespace slipway::onnx
