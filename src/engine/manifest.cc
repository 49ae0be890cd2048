#include "engine/manifest.h"

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/try.h"
#include "engine/json.h"
#include "engine/record_json.h"

namespace slipway::engine {
namespace {

constexpr int kMaxTreeDepth = 64;

constexpr std::string_view kChecksumStart = ",\"xxh3\":\"";
constexpr std::string_view kChecksumEnd = "\"}";
constexpr size_t kChecksumSize = kChecksumStart.size() + kXxh3HexDigits + kChecksumEnd.size();

constexpr std::array<std::string_view, 6> kTreeKinds = {"leaf", "none", "tuple",
                                                        "list", "dict", "namedtuple"};

std::string checksum_of(std::string_view text) {
  return xxh3_hex(std::as_bytes(std::span<const char>(text)));
}

// A checksum that is not known yet takes its place as zeros.
std::string digits_or_zeros(const std::string& digits) {
  return digits.empty() ? std::string(kXxh3HexDigits, '0') : digits;
}

OrderedJson tree_to_json(const Tree& tree) {
  OrderedJson json;
  json["kind"] = kTreeKinds[static_cast<size_t>(tree.kind)];
  if (!tree.keys.empty()) json["keys"] = tree.keys;
  if (!tree.type_name.empty()) json["type_name"] = tree.type_name;
  for (const Tree& child : tree.children) json["children"].push_back(tree_to_json(child));
  return json;
}

OrderedJson value_to_json(const ManifestValue& value) {
  OrderedJson json;
  json["name"] = value.name;
  json["type"] = value.type;
  json["sizes"] = value.sizes;
  json["min_sizes"] = value.min_sizes;
  json["max_sizes"] = value.max_sizes;
  json["mutated"] = value.mutated;
  return json;
}

OrderedJson variant_to_json(const ManifestEngine& engine) {
  OrderedJson json = record_to_json(engine.record);
  json["segment"] = engine.segment;
  if (engine.header_size > 0) json["header_size"] = engine.header_size;
  return json;
}

OrderedJson engine_to_json(const ManifestEngine& engine) {
  OrderedJson json = variant_to_json(engine);
  json["nodes"] = engine.nodes;
  if (!engine.variants.empty()) json["variants"] = array_to_json(engine.variants, variant_to_json);
  return json;
}

// Reasons are sentences, and many nodes share one: each is written once.
OrderedJson outside_to_json(const std::vector<ManifestOutside>& outside) {
  std::map<std::pair<std::string_view, std::string_view>, size_t> groups;
  OrderedJson json = OrderedJson::array();
  for (const ManifestOutside& node : outside) {
    const auto [group, is_new] = groups.try_emplace({node.op, node.reason}, json.size());
    if (is_new) {
      json.push_back({{"op", node.op}, {"reason", node.reason}, {"nodes", OrderedJson::array()}});
    }
    json[group->second]["nodes"].push_back(node.name);
  }
  return json;
}

OrderedJson method_to_json(const ManifestMethod& method) {
  OrderedJson json;
  json["name"] = method.name;
  json["source_sha256"] = method.source_sha256;
  json["source_torch_version"] = method.source_torch_version;
  json["input_tree"] = tree_to_json(method.input_tree);
  json["output_tree"] = tree_to_json(method.output_tree);
  json["inputs"] = array_to_json(method.inputs, value_to_json);
  json["outputs"] = array_to_json(method.outputs, value_to_json);
  json["mutable_buffers"] = method.mutable_buffers;
  json["instruction_origins"] = method.instruction_origins;
  if (!method.engines.empty()) json["engines"] = array_to_json(method.engines, engine_to_json);
  if (!method.outside.empty()) json["outside"] = outside_to_json(method.outside);
  return json;
}

OrderedJson segment_to_json(const ManifestSegment& segment) {
  OrderedJson json;
  json["index"] = segment.index;
  json["content"] = segment.content;
  json["size"] = segment.size;
  json["xxh3"] = digits_or_zeros(segment.xxh3);
  return json;
}

Status read_digits(const Json& object, const char* key, std::string& out) {
  SLIPWAY_RETURN_IF_ERROR(read_member(object, key, out));
  if (out.size() != kXxh3HexDigits) return wrong_type(key);
  return {};
}

Status read_tree(const Json& json, const char* key, int depth, Tree& out) {
  if (depth > kMaxTreeDepth) return invalid_file("\"{}\" nests too deeply", key);
  std::string kind_name;
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "kind", kind_name));
  const auto* kind = std::find(kTreeKinds.begin(), kTreeKinds.end(), kind_name);
  if (kind == kTreeKinds.end()) return invalid_file("\"{}\" has an unknown kind", key);
  out.kind = static_cast<Tree::Kind>(kind - kTreeKinds.begin());
  if (json.contains("keys")) {
    SLIPWAY_RETURN_IF_ERROR(read_array(json, "keys", out.keys, read_item<std::string>));
  }
  if (json.contains("type_name")) {
    SLIPWAY_RETURN_IF_ERROR(read_member(json, "type_name", out.type_name));
  }
  if (json.contains("children")) {
    SLIPWAY_RETURN_IF_ERROR(
        read_array(json, "children", out.children, [&](const Json& item, const char*, Tree& child) {
          return read_tree(item, key, depth + 1, child);
        }));
  }
  const bool is_leaf = out.kind == Tree::Kind::kLeaf || out.kind == Tree::Kind::kNone;
  const bool named = out.kind == Tree::Kind::kDict || !out.keys.empty();
  if ((is_leaf && !out.children.empty()) || (named && out.keys.size() != out.children.size())) {
    return invalid_file("\"{}\" has children that do not fit its kind", key);
  }
  return {};
}

Status read_value(const Json& json, const char* key, ManifestValue& out) {
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "name", out.name));
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "type", out.type));
  SLIPWAY_RETURN_IF_ERROR(read_array(json, "sizes", out.sizes, read_item<std::string>));
  SLIPWAY_RETURN_IF_ERROR(read_array(json, "min_sizes", out.min_sizes, read_item<int64_t>));
  SLIPWAY_RETURN_IF_ERROR(read_array(json, "max_sizes", out.max_sizes, read_item<int64_t>));
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "mutated", out.mutated));
  const auto bounds_fit = [&](const std::vector<int64_t>& bounds) {
    return bounds.empty() || bounds.size() == out.sizes.size();
  };
  if (!bounds_fit(out.min_sizes) || !bounds_fit(out.max_sizes)) {
    return invalid_file("\"{}\" has bounds that do not fit its sizes", key);
  }
  return {};
}

Status read_index(const Json& object, const char* key, uint32_t& out) {
  uint64_t index = 0;
  SLIPWAY_RETURN_IF_ERROR(read_member(object, key, index));
  if (index > UINT32_MAX) return wrong_type(key);
  out = static_cast<uint32_t>(index);
  return {};
}

Status read_variant(const Json& json, const char*, ManifestEngine& out) {
  SLIPWAY_RETURN_IF_ERROR(read_record(json, out.record));
  SLIPWAY_RETURN_IF_ERROR(read_index(json, "segment", out.segment));
  return json.contains("header_size") ? read_member(json, "header_size", out.header_size)
                                      : Status();
}

Status read_engine(const Json& json, const char* key, ManifestEngine& out) {
  SLIPWAY_RETURN_IF_ERROR(read_variant(json, key, out));
  if (json.contains("variants")) {
    SLIPWAY_RETURN_IF_ERROR(read_array(json, "variants", out.variants, read_variant));
  }
  return read_array(json, "nodes", out.nodes, read_item<std::string>);
}

struct OutsideGroup {
  std::string op;
  std::string reason;
  std::vector<std::string> nodes;
};

Status read_outside_group(const Json& json, const char*, OutsideGroup& out) {
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "op", out.op));
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "reason", out.reason));
  return read_array(json, "nodes", out.nodes, read_item<std::string>);
}

// `expanded` counts what groups become: a long reason for many nodes is a short text.
Status read_outside(const Json& method, uint64_t& expanded, std::vector<ManifestOutside>& out) {
  std::vector<OutsideGroup> groups;
  SLIPWAY_RETURN_IF_ERROR(read_array(method, "outside", groups, read_outside_group));
  for (const OutsideGroup& group : groups) {
    expanded += group.nodes.size() * uint64_t{group.op.size() + group.reason.size()};
    if (expanded > kMaxJsonText) return invalid_file("\"outside\" is too long");
    for (const std::string& name : group.nodes) out.push_back({name, group.op, group.reason});
  }
  return {};
}

Status read_method(const Json& json, uint64_t& expanded, ManifestMethod& out) {
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "name", out.name));
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "source_sha256", out.source_sha256));
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "source_torch_version", out.source_torch_version));
  for (auto [key, tree] :
       {std::pair("input_tree", &out.input_tree), std::pair("output_tree", &out.output_tree)}) {
    SLIPWAY_ASSIGN_OR_RETURN(const Json* tree_json, member(json, key));
    SLIPWAY_RETURN_IF_ERROR(read_tree(*tree_json, key, 0, *tree));
  }
  SLIPWAY_RETURN_IF_ERROR(read_array(json, "inputs", out.inputs, read_value));
  SLIPWAY_RETURN_IF_ERROR(read_array(json, "outputs", out.outputs, read_value));
  SLIPWAY_RETURN_IF_ERROR(
      read_array(json, "mutable_buffers", out.mutable_buffers, read_item<std::string>));
  SLIPWAY_RETURN_IF_ERROR(
      read_array(json, "instruction_origins", out.instruction_origins, read_item<std::string>));
  if (json.contains("engines")) {
    SLIPWAY_RETURN_IF_ERROR(read_array(json, "engines", out.engines, read_engine));
  }
  if (json.contains("outside")) return read_outside(json, expanded, out.outside);
  return {};
}

Status read_segment(const Json& json, const char*, ManifestSegment& out) {
  SLIPWAY_RETURN_IF_ERROR(read_index(json, "index", out.index));
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "content", out.content));
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "size", out.size));
  return read_digits(json, "xxh3", out.xxh3);
}

Status check_checksum(std::string_view text) {
  if (text.size() > kMaxJsonText) return invalid_file("{} bytes are too long", text.size());
  if (text.size() < kChecksumSize) return invalid_file("it is cut short");
  const std::string_view covered = text.substr(0, text.size() - kChecksumSize);
  const std::string expected =
      fmt::format("{}{}{}", kChecksumStart, checksum_of(covered), kChecksumEnd);
  if (text.substr(covered.size()) != expected) {
    return invalid_file("it does not have its checksum; the file is damaged");
  }
  return {};
}

Result<Manifest> read(std::string_view text) {
  SLIPWAY_RETURN_IF_ERROR(check_checksum(text));
  SLIPWAY_ASSIGN_OR_RETURN(const Json json, parse_json(text));
  Manifest manifest;
  int64_t format = 0;
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "format", format));
  if (format != kManifestFormat) {
    return unsupported("its format is {}, and this version reads {}: use a newer Slipway", format,
                       kManifestFormat);
  }
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "tool_version", manifest.tool_version));
  SLIPWAY_RETURN_IF_ERROR(read_digits(json, "program_xxh3", manifest.program_xxh3));
  uint64_t expanded = 0;
  SLIPWAY_RETURN_IF_ERROR(read_array(json, "methods", manifest.methods,
                                     [&](const Json& item, const char*, ManifestMethod& method) {
                                       return read_method(item, expanded, method);
                                     }));
  SLIPWAY_RETURN_IF_ERROR(read_array(json, "segments", manifest.segments, read_segment));
  return manifest;
}

}  // namespace

std::string variant_key(const EngineRecord& engine, std::string_view target) {
  return fmt::format("slipway.engine.{}.{}", engine.sha256.substr(0, 16), target);
}

std::string write_manifest(const Manifest& manifest) {
  OrderedJson json;
  json["format"] = manifest.format;
  json["tool_version"] = manifest.tool_version;
  json["program_xxh3"] = digits_or_zeros(manifest.program_xxh3);
  json["methods"] = array_to_json(manifest.methods, method_to_json);
  json["segments"] = array_to_json(manifest.segments, segment_to_json);
  std::string text = dump_json(json);
  text.pop_back();  // The closing brace comes after the checksum.
  const std::string checksum = checksum_of(text);
  text += kChecksumStart;
  text += checksum;
  text += kChecksumEnd;
  return text;
}

Result<Manifest> read_manifest(std::string_view json) {
  try {
    auto manifest = read(json);
    if (!manifest.ok()) return manifest.error().with_context("the manifest cannot be read");
    return manifest;
  } catch (const std::exception& error) {
    return resource_exhausted("the manifest cannot be read: {}", error.what());
  }
}

bool ends_like_manifest(std::string_view text) {
  if (text.size() < kChecksumSize) return false;
  const std::string_view end = text.substr(text.size() - kChecksumSize);
  return end.starts_with(kChecksumStart) && end.ends_with(kChecksumEnd);
}

}  // namespace slipway::engine
