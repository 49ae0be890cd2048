#include "slipway/tree.h"

#include <fmt/core.h>

namespace slipway {
namespace {

// The step from a node to its child, as Python writes it.
std::string step(const Tree& tree, size_t child) {
  const bool has_key = child < tree.keys.size();
  if (tree.kind == Tree::Kind::kDict && has_key) return fmt::format("['{}']", tree.keys[child]);
  if (tree.kind == Tree::Kind::kNamedTuple && has_key) return "." + tree.keys[child];
  return fmt::format("[{}]", child);
}

void collect_paths(const Tree& tree, const std::string& path, std::vector<std::string>& paths) {
  if (tree.kind == Tree::Kind::kLeaf) paths.push_back(path);
  for (size_t i = 0; i < tree.children.size(); ++i) {
    collect_paths(tree.children[i], path + step(tree, i), paths);
  }
}

std::string print(const Tree& tree, const std::vector<std::string>& leaves, size_t& next_leaf) {
  if (tree.kind == Tree::Kind::kNone) return "None";
  if (tree.kind == Tree::Kind::kLeaf) {
    const size_t leaf = next_leaf++;
    return leaf < leaves.size() ? leaves[leaf] : "*";
  }
  std::string items;
  for (size_t i = 0; i < tree.children.size(); ++i) {
    if (i > 0) items += ", ";
    if (i < tree.keys.size()) {
      items +=
          tree.kind == Tree::Kind::kDict ? fmt::format("'{}': ", tree.keys[i]) : tree.keys[i] + "=";
    }
    items += print(tree.children[i], leaves, next_leaf);
  }
  switch (tree.kind) {
    case Tree::Kind::kList:
      return "[" + items + "]";
    case Tree::Kind::kDict:
      return "{" + items + "}";
    case Tree::Kind::kNamedTuple:
      return tree.type_name + "(" + items + ")";
    default:
      return "(" + items + (tree.children.size() == 1 ? ",)" : ")");
  }
}

}  // namespace

int64_t Tree::leaf_count() const {
  if (kind == Kind::kLeaf) return 1;
  int64_t count = 0;
  for (const Tree& child : children) count += child.leaf_count();
  return count;
}

std::vector<std::string> Tree::leaf_paths() const {
  std::vector<std::string> paths;
  collect_paths(*this, "", paths);
  return paths;
}

std::string Tree::to_string(const std::vector<std::string>& leaves) const {
  size_t next_leaf = 0;
  return print(*this, leaves, next_leaf);
}

}  // namespace slipway
