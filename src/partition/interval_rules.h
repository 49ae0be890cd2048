// What operators make of the ranges of their operands.
#pragma once

#include <optional>

#include "ir/graph.h"
#include "partition/intervals.h"

namespace slipway::partition {

// The interval of a node's result, before it wraps; nothing where no rule says it. The node's
// arguments need not fit its operator.
std::optional<Interval> result_interval(const ir::Node& node, size_t result,
                                        const Intervals& intervals);

}  // namespace slipway::partition
