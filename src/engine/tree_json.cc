#include "engine/tree_json.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace slipway::engine {

namespace {

constexpr int kMaxTreeDepth = 64;

constexpr std::array<std::string_view, 6> kTreeKinds = {"leaf", "none", "tuple",
                                                        "list", "dict", "namedtuple"};

Tree read_subtree(JsonValue json, int depth) {
  Tree tree;
  if (depth > kMaxTreeDepth) {
    json.fail("nests too deeply");
    return tree;
  }
  const JsonValue kind_name = json["kind"];
  const auto* kind = std::find(kTreeKinds.begin(), kTreeKinds.end(), kind_name.to_string_view());
  if (kind == kTreeKinds.end()) {
    kind_name.fail("is an unknown kind");
    return tree;
  }
  tree.kind = static_cast<Tree::Kind>(kind - kTreeKinds.begin());
  tree.keys = json.find("keys").to_strings();
  tree.type_name = json.find("type_name").to_string();
  tree.context = json.find("context").to_string();
  for (const JsonValue child : json.find("children").items()) {
    tree.children.push_back(read_subtree(child, depth + 1));
  }
  const bool is_leaf = tree.kind == Tree::Kind::kLeaf || tree.kind == Tree::Kind::kNone;
  const bool named = tree.kind == Tree::Kind::kDict || !tree.keys.empty();
  if ((is_leaf && !tree.children.empty()) || (named && tree.keys.size() != tree.children.size())) {
    json.fail("has children that do not fit its kind");
  }
  return tree;
}

}  // namespace

OrderedJson tree_to_json(const Tree& tree) {
  OrderedJson json;
  json["kind"] = kTreeKinds[static_cast<size_t>(tree.kind)];
  if (!tree.keys.empty()) json["keys"] = tree.keys;
  if (!tree.type_name.empty()) json["type_name"] = tree.type_name;
  if (!tree.context.empty()) json["context"] = tree.context;
  for (const Tree& child : tree.children) json["children"].push_back(tree_to_json(child));
  return json;
}

Tree read_tree(JsonValue json) { return read_subtree(json, 0); }

}  // namespace slipway::engine
