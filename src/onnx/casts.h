// What passes over graphs need that put Casts into them.
#pragma once

#include <set>
#include <string>

#include "onnx/graph.h"

namespace slipway::onnx {

// To `type`, of what `origin` is of.
Node make_cast(const std::string& from, const std::string& to, DType type, const Node& origin);

// One like `wanted` that is not among them, which it is then.
std::string take_name(const std::string& wanted, std::set<std::string>& names);

// Adds what the branches of a node refer to.
void collect_captured(const Node& node, std::set<std::string>& names);

}  // namespace slipway::onnx
