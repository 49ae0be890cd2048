// The text that PyTorch keeps of a TreeSpec.
#pragma once

#include <string>

#include "slipway/result.h"
#include "slipway/tree.h"

namespace slipway::pt2 {

// `[1, {"type": "builtins.tuple", ...}]`, of leaves, tuples, lists and dicts with texts as keys;
// other types of Python, whose contexts trees do not hold, are an error.
Result<std::string> write_tree(const Tree& tree);

}  // namespace slipway::pt2
