// Which kernel runs an operator.
#pragma once

#include <string>

#include "schema/schema.h"

namespace slipway::pte {

// The kernel whose arguments are the operator's, by name, or null. What an operator has besides
// (dtype, layout, device, pin_memory, memory_format) is in the type of its result.
const schema::Schema* select_kernel(const std::string& op);

}  // namespace slipway::pte
