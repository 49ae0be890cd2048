// Instructions: targets, moves, calls, and what values are when each instruction runs.
#pragma once

#include <vector>

#include "pte/reader/value_check.h"

namespace slipway::pte {

// Follows the values through every chain until nothing changes. Operators without a schema are
// kUnsupported unless tables.trust.
Status check_flow(const Tables& tables, const fb::ExecutionPlan& plan,
                  const std::vector<ValueFacts>& values);

}  // namespace slipway::pte
