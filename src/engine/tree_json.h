// How inputs and outputs nest, as JSON: in the manifest (docs/formats/manifest.md), and for those
// who ask in C.
#pragma once

#include "base/json.h"
#include "engine/json.h"
#include "slipway/tree.h"

namespace slipway::engine {

OrderedJson tree_to_json(const Tree& tree);
// What does not fit is the document's error.
Tree read_tree(JsonValue json);

}  // namespace slipway::engine
