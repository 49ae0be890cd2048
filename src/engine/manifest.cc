#include "engine/manifest.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/printable.h"
#include "base/try.h"
#include "engine/engine_graph_json.h"
#include "engine/json.h"
#include "engine/record_json.h"
#include "engine/tree_json.h"
#include "engine/tuning_json.h"

namespace slipway::engine {
namespace {

// What a hostile file can ask for.
constexpr JsonDocument::Limits kLimits = {
    .text = size_t{64} << 20, .values = size_t{1} << 20, .bytes_per_further_value = SIZE_MAX};

constexpr std::string_view kChecksumStart = ",\"xxh3\":\"";
constexpr std::string_view kChecksumEnd = "\"}";
constexpr size_t kChecksumSize = kChecksumStart.size() + kXxh3HexDigits + kChecksumEnd.size();

std::string checksum_of(std::string_view text) {
  return xxh3_hex(std::as_bytes(std::span<const char>(text)));
}

// A checksum that is not known yet takes its place as zeros.
std::string digits_or_zeros(const std::string& digits) {
  return digits.empty() ? std::string(kXxh3HexDigits, '0') : digits;
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
  if (!engine.external_key.empty()) json["external_key"] = engine.external_key;
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

OrderedJson engine_to_json(const ManifestEngine& engine) {
  OrderedJson json = variant_to_json(engine);
  json["nodes"] = engine.nodes;
  if (!engine.graph.nodes.empty()) json["graph"] = graph_to_json(engine.graph);
  if (!engine.passed_over.empty()) json["passed_over"] = outside_to_json(engine.passed_over);
  if (!engine.variants.empty()) json["variants"] = array_to_json(engine.variants, variant_to_json);
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

std::string read_digits(JsonValue json) {
  std::string digits = json.to_string();
  if (digits.size() != kXxh3HexDigits) json.fail("is no checksum");
  return digits;
}

ManifestValue read_value(JsonValue json) {
  ManifestValue value;
  value.name = json["name"].to_string();
  value.type = json["type"].to_string();
  value.sizes = json["sizes"].to_strings();
  value.min_sizes = json["min_sizes"].to_ints();
  value.max_sizes = json["max_sizes"].to_ints();
  value.mutated = json["mutated"].to_bool();
  const auto bounds_fit = [&](const std::vector<int64_t>& bounds) {
    return bounds.empty() || bounds.size() == value.sizes.size();
  };
  if (!bounds_fit(value.min_sizes) || !bounds_fit(value.max_sizes)) {
    json.fail("has bounds that do not fit its sizes");
  }
  return value;
}

uint32_t read_index(JsonValue json) {
  const uint64_t index = json.to_count();
  if (index > UINT32_MAX) json.fail("has more than 32 bits");
  return static_cast<uint32_t>(index);
}

// A variant, or what an engine has in common with its variants.
ManifestEngine read_variant(JsonValue json) {
  ManifestEngine engine;
  engine.record = read_record(json);
  engine.segment = read_index(json["segment"]);
  engine.header_size = json.find("header_size").to_count();
  engine.external_key = json.find("external_key").to_string();
  return engine;
}

// `expanded` counts what groups become: a long reason for many nodes is a short text.
std::vector<ManifestOutside> read_outside(JsonValue json, uint64_t& expanded) {
  std::vector<ManifestOutside> outside;
  for (const JsonValue group : json.items()) {
    const std::string op = group["op"].to_string();
    const std::string reason = group["reason"].to_string();
    const std::vector<std::string> nodes = group["nodes"].to_strings();
    expanded += nodes.size() * uint64_t{op.size() + reason.size()};
    if (expanded > kLimits.text) {
      json.fail("is too long");
      return outside;
    }
    for (const std::string& name : nodes) outside.push_back({name, op, reason});
  }
  return outside;
}

// `expanded` as above.
ManifestEngine read_engine(JsonValue json, uint64_t& expanded) {
  ManifestEngine engine = read_variant(json);
  for (const JsonValue variant : json.find("variants").items()) {
    engine.variants.push_back(read_variant(variant));
  }
  engine.passed_over = read_outside(json.find("passed_over"), expanded);
  engine.nodes = json["nodes"].to_strings();
  if (const JsonValue graph = json.find("graph"); !graph.is_absent()) {
    engine.graph = read_graph(graph, engine.record.inputs.size(), engine.nodes.size());
  }
  return engine;
}

ManifestMethod read_method(JsonValue json, uint64_t& expanded) {
  ManifestMethod method;
  method.name = json["name"].to_string();
  method.source_sha256 = json["source_sha256"].to_string();
  method.source_torch_version = json["source_torch_version"].to_string();
  method.input_tree = read_tree(json["input_tree"]);
  method.output_tree = read_tree(json["output_tree"]);
  for (const JsonValue value : json["inputs"].items()) method.inputs.push_back(read_value(value));
  for (const JsonValue value : json["outputs"].items()) method.outputs.push_back(read_value(value));
  method.mutable_buffers = json["mutable_buffers"].to_strings();
  method.instruction_origins = json["instruction_origins"].to_strings();
  for (const JsonValue engine : json.find("engines").items()) {
    method.engines.push_back(read_engine(engine, expanded));
  }
  method.outside = read_outside(json.find("outside"), expanded);
  return method;
}

ManifestSegment read_segment(JsonValue json) {
  return {read_index(json["index"]), json["content"].to_string(), json["size"].to_count(),
          read_digits(json["xxh3"])};
}

Status check_checksum(std::string_view text) {
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
  SLIPWAY_ASSIGN_OR_RETURN(const auto document, JsonDocument::parse(text, "its text", kLimits));
  const JsonValue json = document->root();
  const int64_t format = json["format"].to_int();
  SLIPWAY_RETURN_IF_ERROR(document->status());
  if (format != kManifestFormat) {
    return unsupported("its format is {}, and this version reads {}: use a newer Slipway", format,
                       kManifestFormat);
  }
  Manifest manifest;
  manifest.tool_version = json["tool_version"].to_string();
  manifest.program_xxh3 = read_digits(json["program_xxh3"]);
  const JsonValue data_file = json.find("data_file");
  manifest.data_file = data_file.to_string();
  if (!data_file.is_absent() && !is_file_name(manifest.data_file)) {
    data_file.fail("is no name of a file");
  }
  if (const JsonValue tuning = json.find("tuning"); !tuning.is_absent()) {
    manifest.tuning = read_tuning(tuning);
    SLIPWAY_RETURN_IF_ERROR(document->status());
  }
  uint64_t expanded = 0;
  for (const JsonValue method : json["methods"].items()) {
    manifest.methods.push_back(read_method(method, expanded));
    SLIPWAY_RETURN_IF_ERROR(document->status());
  }
  for (const JsonValue segment : json["segments"].items()) {
    manifest.segments.push_back(read_segment(segment));
  }
  SLIPWAY_RETURN_IF_ERROR(document->status());
  return manifest;
}

}  // namespace

std::string variant_key(const EngineRecord& engine, std::string_view target) {
  return fmt::format("slipway.engine.{}.{}", engine.sha256.substr(0, 16), target);
}

std::string external_key(const EngineRecord& engine) {
  return fmt::format("slipway.engine.{}", engine.sha256);
}

bool is_file_name(std::string_view name) {
  constexpr std::string_view kSeparators("/\\\0", 3);
  constexpr size_t kMostBytes = 255;
  return !name.empty() && name.size() <= kMostBytes && name != "." && name != ".." &&
         is_utf8(name) && printable(name) == name &&
         name.find_first_of(kSeparators) == std::string_view::npos;
}

const ManifestMethod* Manifest::method(std::string_view name) const {
  const auto found = std::find_if(methods.begin(), methods.end(),
                                  [&](const ManifestMethod& each) { return each.name == name; });
  return found == methods.end() ? nullptr : &*found;
}

std::string write_manifest(const Manifest& manifest) {
  OrderedJson json;
  json["format"] = manifest.format;
  json["tool_version"] = manifest.tool_version;
  json["program_xxh3"] = digits_or_zeros(manifest.program_xxh3);
  if (!manifest.data_file.empty()) json["data_file"] = manifest.data_file;
  if (manifest.tuning) json["tuning"] = tuning_to_json(*manifest.tuning);
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
