// A node's attributes by name.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "onnx/graph.h"

namespace slipway::onnx {

// The attribute of that name, or null where there is none of the type.
template <class T>
const T* attribute(const Node& node, std::string_view name) {
  for (const auto& [key, value] : node.attributes) {
    if (key == name) return std::get_if<T>(&value);
  }
  return nullptr;
}

// What it holds, or else `otherwise`.
template <class T>
T attribute(const Node& node, std::string_view name, T otherwise) {
  const T* found = attribute<T>(node, name);
  return found != nullptr ? *found : std::move(otherwise);
}
inline std::string attribute(const Node& node, std::string_view name, const char* otherwise) {
  return attribute(node, name, std::string(otherwise));
}

}  // namespace slipway::onnx
