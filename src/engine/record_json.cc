#include "engine/record_json.h"

#include <string>

#include <fmt/core.h>

namespace slipway::engine {
namespace {

OrderedJson tensor_to_json(const EngineTensor& tensor) {
  return {{"name", tensor.name}, {"type", tensor.dtype}, {"sizes", tensor.sizes}};
}

EngineTensor read_tensor(JsonValue json) {
  return {json["name"].to_string(), json["type"].to_string(), json["sizes"].to_strings()};
}

OrderedJson alias_to_json(const EngineAlias& alias) {
  return {{"output", alias.output}, {"input", alias.input}, {"kind", alias.kind}};
}

uint32_t read_position(JsonValue json, size_t count) {
  const uint64_t position = json.to_count();
  if (position < count) return static_cast<uint32_t>(position);
  json.fail(fmt::format("is {}, of {}", position, count));
  return 0;
}

}  // namespace

OrderedJson record_to_json(const EngineRecord& record) {
  OrderedJson json;
  json["engine"] = record.engine;
  json["backend"] = record.backend;
  json["library_version"] = record.library_version;
  json["device"] = record.device;
  if (!record.capabilities.empty()) json["capabilities"] = record.capabilities;
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

EngineRecord read_record(JsonValue json) {
  EngineRecord record;
  record.engine = json["engine"].to_string();
  record.backend = json["backend"].to_string();
  record.library_version = json["library_version"].to_string();
  record.device = json["device"].to_string();
  record.capabilities = json.find("capabilities").to_string();
  record.target = json.find("target").to_string();
  for (const auto [name, value] : json["options"].members()) {
    record.options[std::string(name)] = value.to_string();
  }
  for (const auto [name, value] : json["compile_specs"].members()) {
    record.compile_specs[std::string(name)] = value.to_string();
  }
  for (const JsonValue tensor : json["inputs"].items()) {
    record.inputs.push_back(read_tensor(tensor));
  }
  for (const JsonValue tensor : json["outputs"].items()) {
    record.outputs.push_back(read_tensor(tensor));
  }
  for (const JsonValue alias : json.find("aliases").items()) {
    record.aliases.push_back({read_position(alias["output"], record.outputs.size()),
                              read_position(alias["input"], record.inputs.size()),
                              alias["kind"].to_string()});
  }
  record.weight_bytes = json["weight_bytes"].to_count();
  record.size = json["size"].to_count();
  record.sha256 = json["sha256"].to_string();
  return record;
}

}  // namespace slipway::engine
