// Which nodes of a graph stay in float32 when the rest of it is converted to a half type.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "onnx/graph.h"
#include "onnx/value_types.h"

namespace slipway::onnx {

// One entry a node. Of nodes without float32 results (comparisons, shapes, conversions): whether
// they read float32. Nodes that have nothing to do with float32 may have either.
//
// In float32 stay
// - softmax, norms, reductions, means, exp, log, pow and what else loses range or digits in a half
//   type, by ONNX operator and by the ATen operator that a node is a part of: in the main, the
//   operators which PyTorch's autocast computes in float32;
// - the operators of `keep`: ATen's, named with or without their overload, and ONNX's;
// - branches, and operators that ONNX does not define for the half type (but for Einsum: engines
//   have it in bfloat16);
// - what is made of integers alone, such as the angles of positions: halves count to 256 or 2048;
// - masks on their way into a softmax, which are often close to the largest float32;
// - a node with a number that the half type would turn into 0 or infinity (epsilons, masks), and
//   behind an epsilon what leads to a quotient or a logarithm, with that;
// - what stands between nodes that stay, or between them and the graph's outputs, unless it is a
//   matrix product, a convolution or a recurrent layer.
std::vector<bool> float32_nodes(const Graph& graph, const ValueTypes& types, DType half,
                                const std::set<std::string>& keep);

}  // namespace slipway::onnx
