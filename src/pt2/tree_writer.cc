#include "pt2/tree_writer.h"

#include "base/error.h"
#include "base/json_writer.h"
#include "base/try.h"
#include "pt2/tree_reader.h"

namespace slipway::pt2 {
namespace {

Status write_spec(const Tree& tree, JsonWriter& json) {
  const char* type = tree.kind == Tree::Kind::kTuple  ? "builtins.tuple"
                     : tree.kind == Tree::Kind::kList ? "builtins.list"
                     : tree.kind == Tree::Kind::kDict ? "builtins.dict"
                                                      : nullptr;
  if (!tree.type_name.empty() || (type == nullptr && tree.kind != Tree::Kind::kLeaf)) {
    return unsupported("inputs or outputs nest in a {}, which only the archive of the program has",
                       tree.type_name.empty() ? "named tuple" : tree.type_name);
  }
  json.begin_object().key("type");
  if (type == nullptr) {
    json.null().key("context").null();
  } else if (tree.kind == Tree::Kind::kDict) {
    JsonWriter keys;
    keys.begin_array();
    for (const std::string& key : tree.keys) keys.value(key);
    keys.end_array();
    json.value(type).key("context").value(keys.text());
  } else {
    json.value(type).key("context").value("null");
  }
  json.key("children_spec").begin_array();
  for (const Tree& child : tree.children) SLIPWAY_RETURN_IF_ERROR(write_spec(child, json));
  json.end_array().end_object();
  return {};
}

}  // namespace

Result<std::string> write_tree(const Tree& tree) {
  JsonWriter json;
  json.begin_array().value(kTreeSpecVersion);
  SLIPWAY_RETURN_IF_ERROR(write_spec(tree, json));
  json.end_array();
  return json.take();
}

}  // namespace slipway::pt2
