#include "pt2/tree_reader.h"

#include <optional>

#include <fmt/core.h>

#include "base/error.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/try.h"

namespace slipway::pt2 {
namespace {

// Each level of a tree is two of JSON.
constexpr JsonDocument::Limits kLimits{.text = size_t{16} << 20, .depth = 128};
// Each leaf's path repeats the keys above it.
constexpr size_t kMaxTreeKey = 1024;

// A dict's key as text; keys may be numbers, bools or None.
std::optional<std::string> key_text(JsonValue key) {
  switch (key.kind()) {
    case JsonValue::Kind::kString:
      if (key.to_string_view().size() > kMaxTreeKey) return std::nullopt;
      return key.to_string();
    case JsonValue::Kind::kInt:
      return std::to_string(key.to_int());
    case JsonValue::Kind::kFloat:
      return fmt::format("{}", key.to_double());
    case JsonValue::Kind::kBool:
      return key.to_bool() ? "True" : "False";
    case JsonValue::Kind::kNull:
      return "None";
    default:
      return std::nullopt;
  }
}

// A list of `count` keys, or nothing where `value` is none.
std::optional<std::vector<std::string>> keys_of(JsonValue value, size_t count) {
  if (value.kind() != JsonValue::Kind::kArray || value.size() != count) return std::nullopt;
  std::vector<std::string> keys;
  for (JsonValue item : value.items()) {
    auto key = key_text(item);
    if (!key) return std::nullopt;
    keys.push_back(*std::move(key));
  }
  return keys;
}

bool are_texts(JsonValue keys) {
  for (JsonValue key : keys.items()) {
    if (key.kind() != JsonValue::Kind::kString) return false;
  }
  return true;
}

std::string json_of(JsonValue value) {
  JsonWriter json;
  json.copy(value);
  return json.take();
}

class TreeReader {
 public:
  TreeReader(const std::string& name,
             const std::map<std::string, std::vector<std::string>>& namedtuple_fields)
      : name_(name), namedtuple_fields_(namedtuple_fields) {}

  Result<Tree> read(JsonValue spec) const {
    Tree tree;
    const JsonValue type_value = spec["type"];
    if (type_value.kind() == JsonValue::Kind::kNull) return tree;
    for (JsonValue child : spec["children_spec"].items()) {
      SLIPWAY_ASSIGN_OR_RETURN(tree.children.emplace_back(), read(child));
    }
    const std::string type = type_value.to_string();

    // The context is JSON in a string, or, in newer archives, sometimes JSON itself.
    JsonValue context = spec["context"];
    std::string text;
    std::unique_ptr<JsonDocument> document;
    if (context.kind() == JsonValue::Kind::kString) {
      text = context.to_string();
      if (auto parsed = JsonDocument::parse(text, name_, kLimits); parsed.ok()) {
        document = *std::move(parsed);
        context = document->root();
      }
    }

    if (type == "builtins.tuple") {
      tree.kind = Tree::Kind::kTuple;
    } else if (type == "builtins.list") {
      tree.kind = Tree::Kind::kList;
    } else if (type == "collections.deque") {
      tree.kind = Tree::Kind::kList;
      tree.type_name = type;
      tree.context = json_of(spec["context"]);
    } else if (type == "builtins.dict" || type == "collections.OrderedDict" ||
               type == "collections.defaultdict") {
      return read_dict(std::move(tree), type, spec["context"], context);
    } else if (type == "collections.namedtuple") {
      return read_namedtuple(
          std::move(tree), context.kind() == JsonValue::Kind::kString ? context.to_string() : text);
    } else {
      read_registered(tree, type, context);
      tree.context = json_of(spec["context"]);
    }
    return tree;
  }

 private:
  // `context` is `kept` without the string around it.
  Result<Tree> read_dict(Tree tree, const std::string& type, JsonValue kept,
                         JsonValue context) const {
    tree.kind = Tree::Kind::kDict;
    if (type != "builtins.dict") tree.type_name = type;
    std::unique_ptr<JsonDocument> document;
    if (type == "collections.defaultdict") {
      context = context.find("dict_context");
      if (context.kind() == JsonValue::Kind::kString) {
        SLIPWAY_ASSIGN_OR_RETURN(document,
                                 JsonDocument::parse(context.to_string_view(), name_, kLimits));
        context = document->root();
      }
    }
    auto keys = keys_of(context, tree.children.size());
    if (!keys) {
      return invalid_file("{}: a {} of {} items has other keys than that", name_, type,
                          tree.children.size());
    }
    tree.keys = *std::move(keys);
    if (!tree.type_name.empty() || !are_texts(context)) tree.context = json_of(kept);
    return tree;
  }

  Result<Tree> read_namedtuple(Tree tree, std::string type_name) const {
    tree.kind = Tree::Kind::kNamedTuple;
    const auto fields = namedtuple_fields_.find(type_name);
    tree.type_name = std::move(type_name);
    if (fields == namedtuple_fields_.end()) return tree;
    if (fields->second.size() != tree.children.size()) {
      return invalid_file("{}: a {} has {} items but {} fields", name_, tree.type_name,
                          tree.children.size(), fields->second.size());
    }
    tree.keys = fields->second;
    return tree;
  }

  // A class that the model's author registered. What its context means is the class's own affair;
  // dataclasses keep [fields, fields that are None], and models' output classes often their keys.
  static void read_registered(Tree& tree, const std::string& type, JsonValue context) {
    tree.type_name = type;
    tree.kind = Tree::Kind::kTuple;
    if (auto keys = keys_of(context, tree.children.size())) {
      tree.kind = Tree::Kind::kDict;
      tree.keys = *std::move(keys);
    } else if (context.kind() == JsonValue::Kind::kArray && context.size() == 2) {
      if (auto fields = keys_of(*context.items().begin(), tree.children.size())) {
        tree.kind = Tree::Kind::kNamedTuple;
        tree.keys = *std::move(fields);
      }
    }
  }

  const std::string& name_;
  const std::map<std::string, std::vector<std::string>>& namedtuple_fields_;
};

}  // namespace

Result<Tree> read_tree(std::string_view text, const std::string& name,
                       const std::map<std::string, std::vector<std::string>>& namedtuple_fields) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto document, JsonDocument::parse(text, name, kLimits));
  const JsonValue root = document->root();
  if (root.kind() != JsonValue::Kind::kArray || root.size() != 2) {
    return invalid_file("{} is no tree: it has {} parts instead of a version and a spec", name,
                        root.size());
  }
  auto part = root.items().begin();
  if (const int64_t version = (*part).to_int(); version != kTreeSpecVersion) {
    return unsupported("{} has version {} of PyTorch's tree format; Slipway reads version {}", name,
                       version, kTreeSpecVersion);
  }
  ++part;
  SLIPWAY_ASSIGN_OR_RETURN(Tree tree, TreeReader(name, namedtuple_fields).read(*part));
  SLIPWAY_RETURN_IF_ERROR(document->status());
  return tree;
}

}  // namespace slipway::pt2
