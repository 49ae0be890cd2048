#include "build/record_json.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <type_traits>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace slipway::build {

namespace {

// A reader allocates in proportion to the text.
constexpr size_t kMaxText = size_t{16} << 20;

// The fields, once for both directions: each is named to `field(key, member)`.
template <class Tensor, class Field>
requires std::is_same_v<std::remove_const_t<Tensor>, engine::EngineTensor>
void each_field(Tensor& tensor, const Field& field) {
  field("name", tensor.name);
  field("type", tensor.dtype);
  field("sizes", tensor.sizes);
}

template <class Record, class Field>
requires std::is_same_v<std::remove_const_t<Record>, engine::EngineRecord>
void each_field(Record& record, const Field& field) {
  field("engine", record.engine);
  field("backend", record.backend);
  field("library_version", record.library_version);
  field("device", record.device);
  field("options", record.options);
  field("compile_specs", record.compile_specs);
  field("inputs", record.inputs);
  field("outputs", record.outputs);
  field("weight_bytes", record.weight_bytes);
  field("size", record.size);
  field("sha256", record.sha256);
}

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;
using Texts = std::map<std::string, std::string>;
using Tensors = std::vector<engine::EngineTensor>;

OrderedJson to_json(const std::string& value) { return value; }
OrderedJson to_json(uint64_t value) { return value; }
OrderedJson to_json(const std::vector<std::string>& value) { return value; }
OrderedJson to_json(const Texts& value) { return value; }
OrderedJson to_json(const Tensors& value) {
  OrderedJson json = OrderedJson::array();
  for (const engine::EngineTensor& tensor : value) {
    OrderedJson& item = json.emplace_back();
    each_field(tensor, [&](const char* key, const auto& member) { item[key] = to_json(member); });
  }
  return json;
}

// Each says whether the JSON has the type.
bool from_json(const Json& json, std::string& value) {
  if (json.is_string()) value = json.get_ref<const std::string&>();
  return json.is_string();
}

bool from_json(const Json& json, uint64_t& value) {
  if (json.is_number_unsigned()) value = json.get<uint64_t>();
  return json.is_number_unsigned();
}

bool from_json(const Json& json, std::vector<std::string>& value) {
  const auto read = [&](const Json& item) { return from_json(item, value.emplace_back()); };
  return json.is_array() && std::all_of(json.begin(), json.end(), read);
}

bool from_json(const Json& json, Texts& value) {
  if (!json.is_object()) return false;
  const auto items = json.items();
  return std::all_of(items.begin(), items.end(),
                     [&](const auto& item) { return from_json(item.value(), value[item.key()]); });
}

bool from_json(const Json& json, Tensors& value);

template <class Object>
bool read_object(const Json& json, Object& value) {
  bool sound = json.is_object();
  each_field(value, [&](const char* key, auto& member) {
    if (!sound) return;
    const auto found = json.find(key);
    sound = found != json.end() && from_json(*found, member);
  });
  return sound;
}

bool from_json(const Json& json, Tensors& value) {
  const auto read = [&](const Json& item) { return read_object(item, value.emplace_back()); };
  return json.is_array() && std::all_of(json.begin(), json.end(), read);
}

}  // namespace

std::string write_record(const engine::EngineRecord& record) {
  OrderedJson json;
  each_field(record, [&](const char* key, const auto& member) { json[key] = to_json(member); });
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

Result<engine::EngineRecord> read_record(std::string_view json) {
  if (json.size() > kMaxText) return invalid_file("its record is too long");
  const Json parsed = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  engine::EngineRecord record;
  if (parsed.is_discarded() || !read_object(parsed, record)) {
    return invalid_file("its record is not what this version writes");
  }
  return record;
}

}  // namespace slipway::build
