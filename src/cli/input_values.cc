#include "cli/input_values.h"

#include <charconv>
#include <optional>
#include <random>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/json.h"
#include "base/try.h"
#include "compile/example_inputs.h"
#include "slipway/npy.h"

namespace slipway::cli {
namespace {

template <class T>
std::optional<T> parse_number(const std::string& text) {
  T value{};
  const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(begin, end, value);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

// Where the KEY points to, or an error that lists what there is.
Result<size_t> find_input(const std::vector<ValueInfo>& inputs,
                          const std::vector<std::string>& paths, const std::string& key) {
  if (const auto position = parse_number<uint64_t>(key)) {
    if (*position < inputs.size()) return static_cast<size_t>(*position);
  }
  std::vector<std::string> names;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string& path = paths[i];
    if (inputs[i].name == key || path == key) return i;
    const size_t end = path.find(']');
    if (end != std::string::npos && path.substr(end + 1) == key) return i;
    names.push_back(fmt::format("'{}' (or {})", inputs[i].name, i));
  }
  if (names.empty()) return invalid_argument("--input {}: this method has no inputs", key);
  return invalid_argument("--input {}: no such input; {} {}", key,
                          names.size() == 1 ? "the only one is" : "there are",
                          fmt::join(names, ", "));
}

}  // namespace

Result<Value> parse_value(const std::string& text) {
  if (text == "none" || text == "None") return Value(std::monostate());
  if (text == "true" || text == "True") return Value(true);
  if (text == "false" || text == "False") return Value(false);
  if (const auto integer = parse_number<int64_t>(text)) return Value(*integer);
  if (const auto real = parse_number<double>(text)) return Value(*real);
  if (text.starts_with('"')) {
    const auto json = JsonDocument::parse(text, "the string");
    if (json.ok()) {
      std::string value = (*json)->root().to_string();
      if ((*json)->status().ok()) return Value(std::move(value));
    }
    return invalid_argument("{} is not a complete string", text);
  }
  if (!text.ends_with(".npy")) {
    return invalid_argument(
        "'{}' is neither a .npy file, nor an image (.jpg, .png), nor a literal: 3, 1.5, true, "
        "none, "
        "\"text\"",
        text);
  }
  SLIPWAY_ASSIGN_OR_RETURN(Tensor tensor, read_npy(text));
  return Value(std::move(tensor));
}

Result<Value> stored_as(Value value, DType dtype) {
  auto* tensor = std::get_if<Tensor>(&value);
  const bool as_uint16 = dtype == DType::kBFloat16;
  const bool as_uint8 = is_floating_point(dtype) && dtype_size(dtype) == 1;
  if (tensor == nullptr || !((as_uint16 && tensor->dtype() == DType::kUInt16) ||
                             (as_uint8 && tensor->dtype() == DType::kUInt8))) {
    return value;
  }
  auto owner = std::make_shared<Tensor>(*tensor);
  SLIPWAY_ASSIGN_OR_RETURN(
      Tensor other, Tensor::share(owner, owner->data(), owner->nbytes(), dtype, owner->sizes()));
  return Value(std::move(other));
}

Result<std::vector<Value>> gather_inputs(const Method& method,
                                         const std::vector<std::string>& texts,
                                         const uint64_t* seed,
                                         const std::map<std::string, int64_t>& given_sizes,
                                         const ImageOptions& images) {
  const std::vector<ValueInfo>& inputs = method.inputs();
  const std::vector<std::string> paths = method.input_tree().leaf_paths();
  std::vector<Value> values(inputs.size());
  std::vector<bool> given(inputs.size());
  bool has_image = false;
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
      return invalid_argument("--input {}: expected KEY=VALUE, such as x=x.npy or 1=3", text);
    }
    const std::string key = text.substr(0, equals);
    SLIPWAY_ASSIGN_OR_RETURN(size_t index, find_input(inputs, paths, key));
    if (given[index]) {
      return invalid_argument("--input {}: input {} '{}' is given twice", key, index,
                              inputs[index].name);
    }
    given[index] = true;
    if (const auto files = image_files(text.substr(equals + 1)); !files.empty()) {
      has_image = true;
      const auto tensor = read_images(files, inputs[index], images);
      if (!tensor.ok()) return tensor.error().with_context("--input " + key);
      values[index] = *tensor;
      continue;
    }
    auto value = parse_value(text.substr(equals + 1));
    if (!value.ok()) return value.error().with_context("--input " + key);
    if (const TensorInfo* tensor = inputs[index].tensor()) {
      SLIPWAY_ASSIGN_OR_RETURN(value, stored_as(std::move(*value), tensor->dtype));
    }
    values[index] = std::move(*value);
  }
  if (!has_image && !images.given().empty()) {
    return invalid_argument("{} is of images: give one with --input, such as x=cat.jpg",
                            images.given());
  }

  std::vector<std::string> missing;
  std::mt19937_64 random(seed == nullptr ? 0 : *seed);
  std::vector<std::vector<int64_t>> sizes;
  if (seed != nullptr) {
    SLIPWAY_ASSIGN_OR_RETURN(sizes, method.example_sizes(given_sizes));
  } else if (!given_sizes.empty()) {
    return invalid_argument("--size is of random inputs: add --random-inputs SEED");
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (given[i]) continue;
    if (seed != nullptr) {
      SLIPWAY_ASSIGN_OR_RETURN(values[i], random_value(inputs[i], sizes[i], random));
    } else if (inputs[i].tensor() != nullptr ||
               std::holds_alternative<IntegerInfo>(inputs[i].type)) {
      missing.push_back(fmt::format("{} '{}' ({})", i, inputs[i].name, inputs[i].type_text()));
    }
  }
  if (missing.empty()) return values;
  return invalid_argument("missing inputs: {}; give each with --input, or --random-inputs SEED",
                          fmt::join(missing, ", "));
}

}  // namespace slipway::cli
