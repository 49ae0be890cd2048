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

}  // namespace

OrderedJson record_to_json(const EngineRecord& record) {
  OrderedJson json;
  json["engine"] = record.engine;
  json["backend"] = record.backend;
  json["library_version"] = record.library_version;
  json["device"] = record.device;
  json["options"] = record.options;
  json["compile_specs"] = record.compile_specs;
  json["inputs"] = array_to_json(record.inputs, tensor_to_json);
  json["outputs"] = array_to_json(record.outputs, tensor_to_json);
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
  SLIPWAY_RETURN_IF_ERROR(read_texts(json, "options", out.options));
  SLIPWAY_RETURN_IF_ERROR(read_texts(json, "compile_specs", out.compile_specs));
  SLIPWAY_RETURN_IF_ERROR(read_array(json, "inputs", out.inputs, read_tensor));
  SLIPWAY_RETURN_IF_ERROR(read_array(json, "outputs", out.outputs, read_tensor));
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "weight_bytes", out.weight_bytes));
  SLIPWAY_RETURN_IF_ERROR(read_member(json, "size", out.size));
  return read_member(json, "sha256", out.sha256);
}

}  // namespace slipway::engine
