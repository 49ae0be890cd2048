// Values and how they nest, as JSON.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "slipway/tensor.h"
#include "slipway/tree.h"

namespace slipway::inspection {

// {"kind": "dict", "keys": ["a"], "children": [{"kind": "leaf", "index": 0}]}
nlohmann::ordered_json tree_json(const Tree& tree);

// None is null, a float that JSON lacks is "inf", "-inf" or "nan". Requires no tensor.
nlohmann::ordered_json literal_json(const Value& value);
// "int", "float", "bool", "str", "none", or the tensor's element type.
std::string type_name(const Value& value);

}  // namespace slipway::inspection
