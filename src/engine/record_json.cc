#include "engine/record_json.h"

#include <string>

#include "base/try.h"

namespace slipway::engine {
namespace {

OrderedJson tensor_to_json(const EngineTensor& tensor) {
  return {{"name", tensor.name}, {"type", tensor.dtype}, {"sizes", tensor.sizes}};
}

Status read_tensor(const Json& json, const char*, EngineTensor& out) {
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "name", out.name));
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "type", out.dtype));
  return read_array(json, "sizes", out.sizes, read_item<std::string>);
}

OrderedJson alias_to_json(const EngineAlias& alias) {
  return {{"output", alias.output}, {"input", alias.input}, {"kind", alias.kind}};
}

Status read_position(const Json& object, const char* key, size_t count, uint32_t& out) {
  uint64_t position = 0;
  SLIPWAY_RETURN_IF_ERROR(read_member(object, key, position));
  if (position >= count) return invalid_file("an alias has {} {} of {}", key, position, count);
  out = static_cast<uint32_t>(position);
  return {};
}

Status read_aliases(const Json& json, EngineRecord& out) {
  const auto read_alias = [&](const Json& item, const char*, EngineAlias& alias) -> Status {
    SLIPWAY_RETURN_IF_ERROR(read_position(item, "output", out.outputs.size(), alias.output));
    SLIPWAY_RETURN_IF_ERROR(read_position(item, "input", out.inputs.size(), alias.input));
    return read_member(item, "kind", alias.kind);
  };
  return read_array(json, "aliases", out.aliases, read_alias);
}

}  // namespace

OrderedJson record_to_json(const EngineRecord& record) {
  OrderedJson json;
  json["engine"] = record.engine;
  json["backend"] = record.backend;
  json["library_version"] = record.library_version;
  json["device"] = record.device;
  if (!record.target.empty()) json["target"] = record.target;
  json["options"] = record.options;
  json["compile_specs"] = record.compile_specs;
  json["inputs"] = array_to_json(record.inputs, tensor_to_json);
  json["outputs"] = array_to_json(record.outputs, tensor_to_json);
  if (!record.aliases.empty()) json["aliases"] = array_to_json(record.aliases, alias_to_json);
  json["weight_bytes"] = record.weight_bytes;
  json["size"] = record.size;
  json["sha256"] = record.sha256;
  return json;
}

Status read_record(const Json& json, EngineRecord& out) {
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "engine", out.engine));
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "backend", out.backend));
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "library_version", out.library_version));
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "device", out.device));
  if (json.contains("target")) SLIPWAY_RETURN_IF_ERROR(read_member(json, "target", out.target));
  SLIPWAY_RETURN_IF_ERROR(read_texts(json, "options", out.options));
  SLIPWAY_RETURN_IF_ERROR(read_texts(json, "compile_specs", out.compile_specs));
  SLIPWAY_RETURN_IF_ERROR(read_array(json, "inputs", out.inputs, read_tensor));
  SLIPWAY_RETURN_IF_ERROR(read_array(json, "outputs", out.outputs, read_tensor));
  if (json.contains("aliases")) SLIPWAY_RETURN_IF_ERROR(read_aliases(json, out));
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "weight_bytes", out.weight_bytes));
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "size", out.size));
  return read_member(json, "sha256", out.sha256);
}

}  // namespace slipway::engine
