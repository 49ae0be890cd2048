// Lists of index tensors, as index() and index_put() take them.
#pragma once

#include <vector>

#include "onnx/context.h"

namespace slipway::onnx {

struct IndexList {
  std::vector<int64_t> axes;   // which dimensions are indexed
  Refs indices;                // int64, one an axis
  std::vector<int64_t> ranks;  // of each
  int64_t rank = 0;            // of their broadcast
  bool adjacent = true;        // whether the axes follow each other
};

// Argument i, a list over the dimensions of argument 0, with masks as the positions where they
// hold.
IndexList read_indices(Context& c, size_t i);

// Positions in a dimension of this size, brought into it where the options ask for that.
Ref in_range(Context& c, const Ref& index, const ir::SymInt& size);

// [broadcast sizes..., axes]: what GatherND and ScatterND take, once the indexed dimensions are the
// first ones.
Ref combine_indices(Context& c, const IndexList& list);

// The order that brings the indexed dimensions to the front.
std::vector<int64_t> indexed_first(const IndexList& list, int64_t rank);

// Where PyTorch puts the broadcast dimensions of index(): the order that moves them there from the
// front of a tensor of `rank` dimensions.
std::vector<int64_t> result_order(const IndexList& list, int64_t rank);
std::vector<int64_t> inverse(const std::vector<int64_t>& order);

}  // namespace slipway::onnx
