// Float32 rounded to 16 bits, to nearest and ties to even, as PyTorch does: what is too large
// becomes infinite, and NaN stays NaN. And back.
#pragma once

#include <bit>
#include <cstdint>

#include "slipway/tensor.h"

namespace slipway {

// Whether it is one of the two types of 16 bits.
inline bool is_half(DType dtype) { return dtype == DType::kFloat16 || dtype == DType::kBFloat16; }

inline uint16_t to_bfloat16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fc0;
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline uint16_t to_float16(float value) {
  constexpr uint32_t kInfinity = 0x7f800000;
  constexpr uint32_t kTooLarge = std::bit_cast<uint32_t>(65520.0F);
  constexpr uint32_t kSmallestNormal = std::bit_cast<uint32_t>(0x1p-14F);
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  uint32_t half = 0;
  if (magnitude > kInfinity) {
    half = 0x7e00;
  } else if (magnitude >= kTooLarge) {
    half = 0x7c00;
  } else if (magnitude < kSmallestNormal) {
    // The last place of 0.5 is the unit of subnormal halves: the sum rounds to it.
    half = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) -
           std::bit_cast<uint32_t>(0.5F);
  } else {
    // The carry into the exponent is the right one. The exponents' biases are 112 apart.
    const uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
    half = (rounded - (112U << 23)) >> 13;
  }
  return static_cast<uint16_t>(sign | half);
}

inline float from_bfloat16(uint16_t half) {
  return std::bit_cast<float>(static_cast<uint32_t>(half) << 16);
}

inline float from_float16(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t magnitude = half & 0x7fff;
  uint32_t bits = 0;
  if (magnitude >= 0x7c00) {
    bits = 0x7f800000 | ((magnitude & 0x3ff) << 13);
  } else {
    // The exponents' biases are 112 apart, which the product makes good, for subnormals too.
    bits = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude << 13) * 0x1p112F);
  }
  return std::bit_cast<float>(sign | bits);
}

// Rounded to one of the two types.
inline float round_to_half(float value, DType type) {
  return type == DType::kFloat16 ? from_float16(to_float16(value))
                                 : from_bfloat16(to_bfloat16(value));
}

}  // namespace slipway
