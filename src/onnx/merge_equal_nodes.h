// Nodes that compute the same, such as masks that each layer makes anew.
#pragma once

#include "onnx/graph.h"

namespace slipway::onnx {

// One node for all that have equal operators, attributes and operands; small initializers of equal
// contents count as one. What nodes with sub-graphs, random numbers, and results of the graph are,
// stays as it is. Names of other values do not change.
Graph merge_equal_nodes(Graph graph);

}  // namespace slipway::onnx
