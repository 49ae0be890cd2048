#include "stand_in/format/blob.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/try.h"
#include "engine/json.h"

namespace slipway::stand_in {

namespace {

using engine::OrderedJson;

constexpr std::string_view kHeaderMagic = "SLIPSTND";
constexpr std::string_view kEngineMagic = "STANDENG";
constexpr size_t kSizeBytes = sizeof(uint64_t);
constexpr size_t kHeaderSize = 8 + kSizeBytes;
constexpr size_t kJsonStart = 8 + kSizeBytes + kXxh3HexDigits;
constexpr size_t kAlignment = 16;

static_assert(kHeaderSize % engine::kEngineHeaderAlignment == 0);

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void append(std::vector<std::byte>& bytes, std::span<const std::byte> more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}
void append(std::vector<std::byte>& bytes, std::string_view text) {
  append(bytes, std::as_bytes(std::span(text)));
}
void append(std::vector<std::byte>& bytes, uint64_t number) {
  append(bytes, std::as_bytes(std::span(&number, 1)));
}

uint64_t number_at(std::span<const std::byte> bytes, size_t offset) {
  uint64_t number = 0;
  std::memcpy(&number, bytes.data() + offset, sizeof number);
  return number;
}

std::string dtype_text(DType dtype) { return std::string(dtype_name(dtype)); }

DType read_dtype(JsonValue json) {
  const JsonValue name = json["dtype"];
  const auto dtype = dtype_from_name(name.to_string_view());
  if (!dtype) name.fail("is no element type");
  return dtype.value_or(DType::kFloat32);
}

std::vector<uint64_t> read_places(JsonValue json) {
  std::vector<uint64_t> places;
  for (const JsonValue place : json.items()) places.push_back(place.to_count());
  return places;
}

Step read_step(JsonValue json) {
  Step step;
  step.op = json["op"].to_string();
  step.inputs = read_places(json["inputs"]);
  for (const auto [name, values] : json["attributes"].members()) {
    step.attributes[std::string(name)] = values.to_ints();
  }
  return step;
}

// Takes the constant's bytes off the front of `rest`.
Result<Tensor> read_constant(JsonValue json, std::span<const std::byte>& rest) {
  const DType dtype = read_dtype(json);
  std::vector<int64_t> sizes = json["sizes"].to_ints();
  SLIPWAY_ASSIGN_OR_RETURN(const size_t nbytes, contiguous_nbytes(dtype, sizes));
  if (nbytes > rest.size()) return invalid_file("a constant goes past the end");
  SLIPWAY_ASSIGN_OR_RETURN(Tensor constant, Tensor::zeros(dtype, std::move(sizes)));
  if (nbytes > 0) std::memcpy(constant.data(), rest.data(), nbytes);
  rest = rest.subspan(nbytes);
  return constant;
}

Status check_values(const std::vector<uint64_t>& values, uint64_t limit) {
  if (std::all_of(values.begin(), values.end(), [&](uint64_t each) { return each < limit; })) {
    return {};
  }
  return invalid_file("a value is used that is not there");
}

}  // namespace

std::vector<std::byte> write_engine(const Model& model) {
  OrderedJson json;
  json["inputs"] = engine::array_to_json(model.inputs, [](const Input& input) {
    return OrderedJson{{"dtype", dtype_text(input.dtype)}, {"rank", input.rank}};
  });
  json["constants"] = engine::array_to_json(model.constants, [](const Tensor& constant) {
    return OrderedJson{{"dtype", dtype_text(constant.dtype())}, {"sizes", constant.sizes()}};
  });
  json["steps"] = engine::array_to_json(model.steps, [](const Step& step) {
    OrderedJson attributes = OrderedJson::object();
    for (const auto& [name, values] : step.attributes) attributes[name] = values;
    return OrderedJson{{"op", step.op}, {"inputs", step.inputs}, {"attributes", attributes}};
  });
  json["outputs"] = model.outputs;
  const std::string text = engine::dump_json(json);

  std::vector<std::byte> body;
  append(body, text);
  while (body.size() % kAlignment != 0) body.push_back(std::byte{0});
  for (const Tensor& constant : model.constants) append(body, constant.bytes());

  std::vector<std::byte> bytes;
  append(bytes, kEngineMagic);
  append(bytes, text.size());
  append(bytes, xxh3_hex(body));
  append(bytes, body);
  return bytes;
}

bool begins_engine(std::span<const std::byte> bytes) {
  return text_of(bytes).starts_with(kEngineMagic);
}

Result<Model> read_engine(std::span<const std::byte> bytes) {
  if (!begins_engine(bytes) || bytes.size() < kJsonStart) {
    return invalid_file("it is no engine of the stand-in");
  }
  const std::span<const std::byte> body = bytes.subspan(kJsonStart);
  const std::string_view checksum = text_of(bytes).substr(8 + kSizeBytes, kXxh3HexDigits);
  if (xxh3_hex(body) != checksum) return invalid_file("its checksum is wrong");
  const uint64_t json_size = number_at(bytes, 8);
  if (json_size > body.size()) return invalid_file("its graph goes past the end");
  SLIPWAY_ASSIGN_OR_RETURN(const auto document,
                           JsonDocument::parse(text_of(body).substr(0, json_size), "its graph"));
  const JsonValue json = document->root();
  Model model;
  for (const JsonValue input : json["inputs"].items()) {
    model.inputs.push_back({read_dtype(input), input["rank"].to_count()});
  }
  std::span<const std::byte> rest = body.subspan(
      std::min<size_t>(body.size(), (json_size + kAlignment - 1) / kAlignment * kAlignment));
  for (const JsonValue constant : json["constants"].items()) {
    SLIPWAY_ASSIGN_OR_RETURN(Tensor tensor, read_constant(constant, rest));
    model.constants.push_back(std::move(tensor));
  }
  if (!rest.empty()) return invalid_file("there is more than its graph and constants");
  for (const JsonValue step : json["steps"].items()) model.steps.push_back(read_step(step));
  model.outputs = read_places(json["outputs"]);
  SLIPWAY_RETURN_IF_ERROR(document->status());
  uint64_t values = model.inputs.size() + model.constants.size();
  for (const Step& step : model.steps) {
    SLIPWAY_RETURN_IF_ERROR(check_values(step.inputs, values++));
  }
  SLIPWAY_RETURN_IF_ERROR(check_values(model.outputs, values));
  return model;
}

Result<std::vector<std::byte>> header_of(const engine::EngineRecord& record) {
  std::vector<std::byte> header;
  append(header, kHeaderMagic);
  append(header, record.size);
  return header;
}

Result<std::span<const std::byte>> engine_of(std::span<const std::byte> blob) {
  if (!text_of(blob).starts_with(kHeaderMagic) || blob.size() < kHeaderSize) {
    return invalid_file("it does not begin as the stand-in's engines do");
  }
  const std::span<const std::byte> engine = blob.subspan(kHeaderSize);
  if (number_at(blob, 8) != engine.size()) {
    return invalid_file("its engine has {} bytes, and its header says {}", engine.size(),
                        number_at(blob, 8));
  }
  return engine;
}

}  // namespace slipway::stand_in
