// The nodes of a graph for XNNPACK: each reads what is there already, and its parameters fit the
// sizes of that. The sizes of what it makes follow from both, and are those that the graph
// declares, since XNNPACK plans memory for these.
//
// The rules are those of XNNPACK's own functions that reshape (src/subgraph/*.c, src/operators/*.c)
// and of what ExecuTorch 1.5.1 hands to them (backends/xnnpack/runtime/XNNCompiler.cpp), with what
// these take for granted: indices, ranks, and divisors above 0.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "slipway/result.h"
#include "xnnpack/format/xnnpack_generated.h"

namespace slipway::xnnpack {

inline constexpr size_t kMaxRank = 6;  // XNN_MAX_TENSOR_DIMS

struct Value {
  fb_xnnpack::XNNDatatype type = fb_xnnpack::XNNDatatype::xnn_datatype_invalid;
  std::vector<uint64_t> sizes;
  bool constant = false;
  bool output = false;      // of the graph
  bool there = false;       // a constant, an input of the graph, or made by a node
  uint64_t row_dims = 0;    // quantized when it runs: the innermost dimensions that share a scale
  bool is_indices = false;  // the places of the largest elements
};

// By the id that nodes name.
using Values = std::unordered_map<uint32_t, Value>;

// The elements of a tensor, or an error where they are more than memory can hold.
Result<uint64_t> count_elements(const std::vector<uint64_t>& sizes);

// `memory`: how many bytes the nodes may make together.
Status check_nodes(const fb_xnnpack::XNNGraph& graph, Values& values, uint64_t memory);

}  // namespace slipway::xnnpack
