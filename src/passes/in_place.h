// What in-place operators compute.
#pragma once

#include "ir/op_builder.h"
#include "slipway/result.h"

namespace slipway::passes {

// Whether the node writes to its first argument. An error for what writes elsewhere: out-variants,
// normalization that updates its statistics.
Result<bool> is_in_place(const ir::Node& node);

// Adds the functional nodes that compute what the first argument of an in-place node holds
// afterwards, with the argument's own type: broadcasting never grows it, and promotion never
// changes it.
Result<ir::Value*> in_place_result(const ir::Node& node, ir::OpBuilder& builder);

}  // namespace slipway::passes
