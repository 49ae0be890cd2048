// Where views lie in memory, for those that no other operator than as_strided expresses.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ir/graph.h"
#include "passes/view_step.h"
#include "slipway/result.h"

namespace slipway::passes {

// The order of dimensions, from the slowest to the fastest, in which a tensor lies in memory
// without gaps; nothing when it has gaps or the order is not known.
std::optional<std::vector<int64_t>> memory_order(const ir::TensorType& type);

// Where a view starts, in elements of its storage; nothing when that is not known.
std::optional<ir::SymInt> offset_of(const ViewStep& step, const ir::TensorType& parent,
                                    const std::optional<ir::SymInt>& parent_offset);

// The positions in a contiguous parent that a kDiagonal, kUnfold or kAsStrided step reads, in the
// order of the view's elements. An error when sizes are not fixed, when there are too many, when
// one lies outside, or when two elements share one.
Result<std::vector<int64_t>> positions(const ViewStep& step, const ir::TensorType& parent,
                                       const ir::TensorType& type);

}  // namespace slipway::passes
