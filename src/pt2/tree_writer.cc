#include "pt2/tree_writer.h"

#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/try.h"
#include "pt2/tree_reader.h"

namespace slipway::pt2 {
namespace {

const char* builtin_type(Tree::Kind kind) {
  switch (kind) {
    case Tree::Kind::kTuple:
      return "builtins.tuple";
    case Tree::Kind::kList:
      return "builtins.list";
    case Tree::Kind::kDict:
      return "builtins.dict";
    default:
      return nullptr;
  }
}

std::string list_of(const std::vector<std::string>& keys) {
  JsonWriter json;
  json.begin_array();
  for (const std::string& key : keys) json.value(key);
  json.end_array();
  return json.take();
}

Status write_type(const Tree& tree, JsonWriter& json) {
  const bool is_builtin = tree.type_name.empty();
  const char* type = is_builtin ? builtin_type(tree.kind) : tree.type_name.c_str();
  json.key("type");
  if (tree.kind == Tree::Kind::kLeaf) {
    json.null().key("context").null();
  } else if (tree.kind == Tree::Kind::kNamedTuple && tree.context.empty()) {
    json.value("collections.namedtuple").key("context").value(tree.type_name);
  } else if (type == nullptr || (!is_builtin && tree.context.empty())) {
    return unsupported("inputs or outputs nest in a {}, which only the archive of the program has",
                       is_builtin ? "type without a name" : tree.type_name);
  } else if (!tree.context.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto context, JsonDocument::parse(tree.context, "a context"));
    json.value(type).key("context").copy(context->root());
  } else {
    json.value(type).key("context");
    json.value(tree.kind == Tree::Kind::kDict ? list_of(tree.keys) : "null");
  }
  return {};
}

Status write_spec(const Tree& tree, JsonWriter& json) {
  json.begin_object();
  SLIPWAY_RETURN_IF_ERROR(write_type(tree, json));
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
