// The nesting of inputs and outputs, from the text that PyTorch keeps of a TreeSpec.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/result.h"
#include "slipway/tree.h"

namespace slipway::pt2 {

// The only version of the text that there is (torch/utils/_pytree.py).
inline constexpr int64_t kTreeSpecVersion = 1;

// `text` is such as `[1, {"type": "builtins.tuple", "context": "null", "children_spec": [...]}]`.
// `namedtuple_fields` gives the field names of named tuples by type name; `name` is for messages.
// Each leaf of the spec is a leaf of the tree, also where its value is None.
Result<Tree> read_tree(std::string_view text, const std::string& name,
                       const std::map<std::string, std::vector<std::string>>& namedtuple_fields);

}  // namespace slipway::pt2
