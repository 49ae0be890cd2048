// How the tool writes numbers, tables and trees.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "slipway/tensor.h"
#include "slipway/tree.h"

namespace slipway::cli {

// "640 bytes", "1.5 MiB"
std::string format_bytes(uint64_t bytes);

// "1 node", "2 nodes"
std::string count_text(size_t count, const std::string& noun);

// Rows of equal length, columns padded to the widest cell, which are made printable; the first row
// is the heading.
std::string format_table(const std::vector<std::vector<std::string>>& rows,
                         const std::string& indent = "");

// The path of each leaf of an input or output tree for people: " at ['mask'].logits", escaped, and
// empty where it says no more than the position.
std::vector<std::string> leaf_places(const Tree& tree);

// Few values in full, many as their range and mean.
std::string summarize(const Tensor& tensor);
std::string summarize(const Value& value);

// {"kind": "dict", "keys": ["a"], "children": [{"kind": "leaf", "index": 0}]}
nlohmann::ordered_json tree_json(const Tree& tree);

// None is null, a float that JSON lacks is "inf", "-inf" or "nan". Requires no tensor.
nlohmann::ordered_json literal_json(const Value& value);
// "int", "float", "bool", "str", "none", or the tensor's element type.
std::string type_name(const Value& value);

}  // namespace slipway::cli
