// Numbers of 8 bits as PyTorch has them: what their bits mean.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

#include "slipway/tensor.h"

namespace slipway {

// How a type lays out its bits: a sign, an exponent, a mantissa.
struct Float8 {
  int mantissa_bits;
  int bias;
  bool has_infinity;      // the highest exponent is for infinities and NaN, as in IEEE 754
  bool is_unsigned_zero;  // "fnuz": the sign of zero means NaN, and nothing else does
  // The largest number, and the smallest whose exponent is its own.
  float largest;
  float smallest_normal;
};

// Nothing for other types; float8_e8m0fnu, which has no mantissa, is not among them.
constexpr std::optional<Float8> float8_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat8E4M3FN:
      return Float8{3, 7, false, false, 448, 0x1p-6F};
    case DType::kFloat8E5M2:
      return Float8{2, 15, true, false, 57344, 0x1p-14F};
    case DType::kFloat8E4M3FNUZ:
      return Float8{3, 8, false, true, 240, 0x1p-7F};
    case DType::kFloat8E5M2FNUZ:
      return Float8{2, 16, false, true, 57344, 0x1p-15F};
    default:
      return std::nullopt;
  }
}

inline float from_float8(uint8_t bits, const Float8& type) {
  const int magnitude = bits & 0x7f;
  const int units = magnitude & ((1 << type.mantissa_bits) - 1);
  const int exponent = magnitude >> type.mantissa_bits;
  const int highest = 0x7f >> type.mantissa_bits;
  const float sign = (bits & 0x80) != 0 ? -1.0F : 1.0F;
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  if (type.is_unsigned_zero) {
    if (bits == 0x80) return kNan;
  } else if (type.has_infinity && exponent == highest) {
    return units == 0 ? sign * std::numeric_limits<float>::infinity() : kNan;
  } else if (magnitude == 0x7f) {
    return kNan;
  }
  const int all = exponent == 0 ? units : units + (1 << type.mantissa_bits);
  const int power = (exponent == 0 ? 1 : exponent) - type.bias - type.mantissa_bits;
  return sign * std::ldexp(static_cast<float>(all), power);
}

}  // namespace slipway
