#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/core.h>

#include "base/half.h"
#include "onnx/context.h"

namespace slipway::onnx {

namespace {

template <class T>
std::vector<std::byte> to_bytes(T value) {
  std::vector<std::byte> bytes(sizeof(T));
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

// In one rounding.
uint16_t to_float16(double value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(value);
  if (std::isnan(value)) return 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude == 0) return sign;
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  exponent = std::max(exponent, -13);
  // In units of the last place; the carry into the next exponent is the right one.
  const double units = std::nearbyint(std::ldexp(magnitude, 11 - exponent));
  const int biased = exponent + 14;
  const int bits = ((biased - 1) << 10) + static_cast<int>(units);
  return static_cast<uint16_t>(sign | bits);
}

template <class T>
T saturate(double value) {
  if (std::isnan(value)) return 0;
  if (value <= static_cast<double>(std::numeric_limits<T>::min())) {
    return std::numeric_limits<T>::min();
  }
  if (value >= static_cast<double>(std::numeric_limits<T>::max())) {
    return std::numeric_limits<T>::max();
  }
  return static_cast<T>(value);
}

}  // namespace

Attribute::Attribute(const Attribute& other) = default;
Attribute::Attribute(Attribute&& other) noexcept = default;
Attribute& Attribute::operator=(const Attribute& other) = default;
Attribute& Attribute::operator=(Attribute&& other) noexcept = default;
Attribute::~Attribute() = default;

int32_t onnx_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return 1;
    case DType::kUInt8:
      return 2;
    case DType::kInt8:
      return 3;
    case DType::kUInt16:
      return 4;
    case DType::kInt16:
      return 5;
    case DType::kInt32:
      return 6;
    case DType::kInt64:
      return 7;
    case DType::kBool:
      return 9;
    case DType::kFloat16:
      return 10;
    case DType::kFloat64:
      return 11;
    case DType::kUInt32:
      return 12;
    case DType::kUInt64:
      return 13;
    case DType::kBFloat16:
      return 16;
    case DType::kFloat8E4M3FN:
      return 17;
    case DType::kFloat8E4M3FNUZ:
      return 18;
    case DType::kFloat8E5M2:
      return 19;
    case DType::kFloat8E5M2FNUZ:
      return 20;
    default:
      return 0;  // Complex numbers have types, but no operators.
  }
}

std::vector<std::byte> encode(int64_t value, DType dtype) {
  switch (dtype) {
    case DType::kInt64:
    case DType::kUInt64:
      return to_bytes(value);
    case DType::kInt32:
    case DType::kUInt32:
      return to_bytes(static_cast<int32_t>(value));
    case DType::kInt16:
    case DType::kUInt16:
      return to_bytes(static_cast<int16_t>(value));
    case DType::kInt8:
    case DType::kUInt8:
      return to_bytes(static_cast<int8_t>(value));
    case DType::kBool:
      return to_bytes(static_cast<int8_t>(value != 0));
    default:
      return encode(static_cast<double>(value), dtype);
  }
}

std::vector<std::byte> encode(double value, DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      return to_bytes(value);
    case DType::kFloat16:
      return to_bytes(to_float16(value));
    case DType::kBFloat16:
      return to_bytes(to_bfloat16(static_cast<float>(value)));
    case DType::kBool:
      return to_bytes(static_cast<int8_t>(value != 0));
    case DType::kInt64:
      return to_bytes(saturate<int64_t>(value));
    case DType::kInt32:
      return to_bytes(saturate<int32_t>(value));
    case DType::kInt16:
      return to_bytes(saturate<int16_t>(value));
    case DType::kInt8:
      return to_bytes(saturate<int8_t>(value));
    case DType::kUInt64:
      return to_bytes(saturate<uint64_t>(value));
    case DType::kUInt32:
      return to_bytes(saturate<uint32_t>(value));
    case DType::kUInt16:
      return to_bytes(saturate<uint16_t>(value));
    case DType::kUInt8:
      return to_bytes(saturate<uint8_t>(value));
    default:
      return to_bytes(static_cast<float>(value));
  }
}

Ref Context::constant(DType dtype, std::vector<int64_t> sizes, std::vector<std::byte> bytes) {
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::string& name = constant_names_[{dtype, sizes, std::move(text)}];
  if (name.empty()) {
    name = fresh(fmt::format("constant_{}", constant_names_.size()));
    pinned_.insert(name);
    graph_.initializers.push_back({name, dtype, std::move(sizes), own_bytes(std::move(bytes))});
  }
  return {name, dtype};
}

Ref Context::scalar(double value, DType dtype) {
  const DType type = is_computed_wide(dtype) ? DType::kFloat32 : dtype;
  Ref ref = constant(type, {}, encode(value, type));
  if (type == DType::kFloat32) note_number(ref.name, static_cast<float>(value));
  return ref;
}

Ref Context::scalar(int64_t value, DType dtype) {
  if (dtype == DType::kFloat32 || is_half(dtype)) return scalar(static_cast<double>(value), dtype);
  return constant(dtype, {}, encode(value, dtype));
}

Ref Context::ints(const std::vector<int64_t>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(int64_t));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return constant(DType::kInt64, {static_cast<int64_t>(values.size())}, std::move(bytes));
}

}  // namespace slipway::onnx
