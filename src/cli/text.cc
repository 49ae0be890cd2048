#include "cli/text.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/printable.h"

namespace slipway::cli {
namespace {

float from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float half_to_float(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1f;
  const uint32_t mantissa = half & 0x3ff;
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  if (exponent == 31) return from_bits(sign | 0x7f800000u | (mantissa << 13));
  return from_bits(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

// Nothing for the types whose values are not shown: complex and float8.
std::optional<double> element(const Tensor& tensor, size_t i) {
  switch (tensor.dtype()) {
    case DType::kUInt8:
      return tensor.data_as<uint8_t>()[i];
    case DType::kInt8:
      return tensor.data_as<int8_t>()[i];
    case DType::kInt16:
      return tensor.data_as<int16_t>()[i];
    case DType::kInt32:
      return tensor.data_as<int32_t>()[i];
    case DType::kInt64:
      return static_cast<double>(tensor.data_as<int64_t>()[i]);
    case DType::kUInt16:
      return tensor.data_as<uint16_t>()[i];
    case DType::kUInt32:
      return tensor.data_as<uint32_t>()[i];
    case DType::kUInt64:
      return static_cast<double>(tensor.data_as<uint64_t>()[i]);
    case DType::kBool:
      return tensor.data_as<uint8_t>()[i] != 0 ? 1 : 0;
    case DType::kFloat16:
      return half_to_float(tensor.data_as<uint16_t>()[i]);
    case DType::kBFloat16:
      return from_bits(static_cast<uint32_t>(tensor.data_as<uint16_t>()[i]) << 16);
    case DType::kFloat32:
      return tensor.data_as<float>()[i];
    case DType::kFloat64:
      return tensor.data_as<double>()[i];
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string format_bytes(uint64_t bytes) {
  constexpr uint64_t kKiB = 1024;
  if (bytes < kKiB) return fmt::format("{} bytes", bytes);
  double value = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* next : {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}) {
    if (value < kKiB) break;
    value /= kKiB;
    unit = next;
  }
  return fmt::format("{:.1f} {}", value, unit);
}

std::string count_text(size_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string format_table(const std::vector<std::vector<std::string>>& rows,
                         const std::string& indent) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], printable_message(row[i]).size());
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = indent;
    for (size_t i = 0; i < row.size(); ++i) {
      line += fmt::format("{:<{}}  ", printable_message(row[i]), widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::vector<std::string> leaf_places(const Tree& tree) {
  std::vector<std::string> places = tree.leaf_paths();
  for (std::string& place : places) {
    const bool named = place.find_first_of("'.") != std::string::npos;
    place = named ? " at " + printable(place) : "";
  }
  return places;
}

std::string summarize(const Tensor& tensor) {
  constexpr int64_t kFew = 8;
  const auto count = static_cast<size_t>(tensor.numel());
  if (count == 0) return "empty";
  if (!element(tensor, 0)) return fmt::format("{} of data", format_bytes(tensor.nbytes()));
  if (tensor.numel() <= kFew) {
    std::vector<double> values;
    for (size_t i = 0; i < count; ++i) values.push_back(*element(tensor, i));
    return fmt::format("{:.6g}", fmt::join(values, " "));
  }
  double least = std::numeric_limits<double>::infinity();
  double most = -least;
  double sum = 0;
  size_t bad = 0;
  for (size_t i = 0; i < count; ++i) {
    const double value = *element(tensor, i);
    if (!std::isfinite(value)) {
      ++bad;
      continue;
    }
    least = std::min(least, value);
    most = std::max(most, value);
    sum += value;
  }
  if (bad == count) return "infinite or NaN throughout";
  std::string text = fmt::format("min {:.6g}, max {:.6g}, mean {:.6g}", least, most,
                                 sum / static_cast<double>(count - bad));
  if (bad > 0) text += fmt::format(", {} infinite or NaN", bad);
  return text;
}

std::string summarize(const Value& value) {
  if (const auto* tensor = std::get_if<Tensor>(&value)) {
    return fmt::format("{}: {}", format_value_type(value), summarize(*tensor));
  }
  return printable(format_value_type(value));
}

nlohmann::ordered_json tree_json(const Tree& tree) {
  int64_t next_leaf = 0;
  const auto convert = [&](const auto& self, const Tree& node) -> nlohmann::ordered_json {
    nlohmann::ordered_json json;
    switch (node.kind) {
      case Tree::Kind::kLeaf:
        json["kind"] = "leaf";
        json["index"] = next_leaf++;
        return json;
      case Tree::Kind::kNone:
        json["kind"] = "none";
        return json;
      case Tree::Kind::kTuple:
        json["kind"] = "tuple";
        break;
      case Tree::Kind::kList:
        json["kind"] = "list";
        break;
      case Tree::Kind::kDict:
        json["kind"] = "dict";
        break;
      case Tree::Kind::kNamedTuple:
        json["kind"] = "namedtuple";
        break;
    }
    if (!node.type_name.empty()) json["type"] = node.type_name;
    if (!node.keys.empty()) json["keys"] = node.keys;
    json["children"] = nlohmann::ordered_json::array();
    for (const Tree& child : node.children) json["children"].push_back(self(self, child));
    return json;
  };
  return convert(convert, tree);
}

nlohmann::ordered_json literal_json(const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return *integer;
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean;
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* real = std::get_if<double>(&value)) {
    if (std::isfinite(*real)) return *real;
    return fmt::format("{}", *real);
  }
  return nullptr;
}

std::string type_name(const Value& value) {
  if (const auto* tensor = std::get_if<Tensor>(&value)) {
    return std::string(dtype_name(tensor->dtype()));
  }
  constexpr const char* kNames[] = {"none", "tensor", "int", "float", "bool", "str"};
  return kNames[value.index()];
}

}  // namespace slipway::cli
