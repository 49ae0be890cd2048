#include "cli/text.h"

#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

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

// All digits of an integer.
std::string element_text(const Tensor& tensor, size_t i) {
  if (tensor.dtype() == DType::kInt64) return std::to_string(tensor.data_as<int64_t>()[i]);
  if (tensor.dtype() == DType::kUInt64) return std::to_string(tensor.data_as<uint64_t>()[i]);
  const double value = *element(tensor, i);
  return is_floating_point(tensor.dtype()) ? fmt::format("{:.6g}", value)
                                           : fmt::format("{:.0f}", value);
}

}  // namespace

std::string summarize(const Tensor& tensor) {
  constexpr int64_t kFew = 8;
  const auto count = static_cast<size_t>(tensor.numel());
  if (count == 0) return "empty";
  if (!element(tensor, 0)) return fmt::format("{} of data", format_bytes(tensor.nbytes()));
  if (tensor.numel() <= kFew) {
    std::vector<std::string> values;
    values.reserve(count);
    for (size_t i = 0; i < count; ++i) values.push_back(element_text(tensor, i));
    return fmt::format("{}", fmt::join(values, " "));
  }
  size_t least = count;
  size_t most = count;
  double sum = 0;
  size_t bad = 0;
  for (size_t i = 0; i < count; ++i) {
    const double value = *element(tensor, i);
    if (!std::isfinite(value)) {
      ++bad;
      continue;
    }
    if (least == count || value < *element(tensor, least)) least = i;
    if (most == count || value > *element(tensor, most)) most = i;
    sum += value;
  }
  if (bad == count) return "infinite or NaN throughout";
  std::string text =
      fmt::format("min {}, max {}, mean {:.6g}", element_text(tensor, least),
                  element_text(tensor, most), sum / static_cast<double>(count - bad));
  if (bad > 0) text += fmt::format(", {} infinite or NaN", bad);
  return text;
}

std::string summarize(const Value& value) {
  if (const auto* tensor = std::get_if<Tensor>(&value)) {
    return fmt::format("{}: {}", format_value_type(value), summarize(*tensor));
  }
  return printable(format_value_type(value));
}

}  // namespace slipway::cli
