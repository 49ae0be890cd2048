// Which results of operators may be an argument's memory, where no ViewStep says how it is seen.
#pragma once

#include <vector>

#include "ir/program.h"

namespace slipway::passes {

// The tensors of an argument, which may be a list of them.
std::vector<const ir::Value*> values_of(const ir::Argument& argument);

// The arguments whose memory a result has, or may have. Where view_step() knows what it is of the
// first one, and it turned out to be a copy, there are none.
std::vector<const ir::Value*> arguments_in_results(const ir::Node& node);

}  // namespace slipway::passes
