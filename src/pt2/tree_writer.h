// The text that PyTorch keeps of a TreeSpec.
#pragma once

#include <string>

#include "slipway/result.h"
#include "slipway/tree.h"

namespace slipway::pt2 {

// `[1, {"type": "builtins.tuple", ...}]`. A tree of another type of Python without its context is
// an error.
Result<std::string> write_tree(const Tree& tree);

}  // namespace slipway::pt2
