// The defaults of operator schemas as arguments.
#pragma once

#include <optional>

#include "ir/graph.h"
#include "schema/schema.h"

namespace slipway::ir {

// The parameter's default; nothing where it has none.
std::optional<Argument> default_argument(const schema::Parameter& parameter);

}  // namespace slipway::ir
