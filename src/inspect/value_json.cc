#include "inspect/value_json.h"

#include <cmath>
#include <string>

#include <fmt/core.h>

namespace slipway::inspection {

nlohmann::ordered_json tree_json(const Tree& tree) {
  int64_t next_leaf = 0;
  const auto convert = [&](const auto& self, const Tree& node) -> nlohmann::ordered_json {
    nlohmann::ordered_json json;
    switch (node.kind) {
      case Tree::Kind::kLeaf:
        json["kind"] = "leaf";
        json["index"] = next_leaf++;
        return json;
      case Tree::Kind::kNone:
        json["kind"] = "none";
        return json;
      case Tree::Kind::kTuple:
        json["kind"] = "tuple";
        break;
      case Tree::Kind::kList:
        json["kind"] = "list";
        break;
      case Tree::Kind::kDict:
        json["kind"] = "dict";
        break;
      case Tree::Kind::kNamedTuple:
        json["kind"] = "namedtuple";
        break;
    }
    if (!node.type_name.empty()) json["type"] = node.type_name;
    if (!node.keys.empty()) json["keys"] = node.keys;
    json["children"] = nlohmann::ordered_json::array();
    for (const Tree& child : node.children) json["children"].push_back(self(self, child));
    return json;
  };
  return convert(convert, tree);
}

nlohmann::ordered_json literal_json(const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return *integer;
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean;
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* real = std::get_if<double>(&value)) {
    if (std::isfinite(*real)) return *real;
    return fmt::format("{}", *real);
  }
  return nullptr;
}

std::string type_name(const Value& value) {
  if (const auto* tensor = std::get_if<Tensor>(&value)) {
    return std::string(dtype_name(tensor->dtype()));
  }
  constexpr const char* kNames[] = {"none", "tensor", "int", "float", "bool", "str"};
  return kNames[value.index()];
}

}  // namespace slipway::inspection
