// Arithmetic on numbers that come from files.
#pragma once

#include <cstdint>
#include <optional>

namespace slipway {

// Each gives nothing when the true result does not fit.
inline std::optional<uint64_t> checked_add(uint64_t a, uint64_t b) {
  uint64_t result;
  if (__builtin_add_overflow(a, b, &result)) return std::nullopt;
  return result;
}

inline std::optional<uint64_t> checked_mul(uint64_t a, uint64_t b) {
  uint64_t result;
  if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
  return result;
}

inline std::optional<int64_t> checked_add_signed(int64_t a, int64_t b) {
  int64_t result;
  if (__builtin_add_overflow(a, b, &result)) return std::nullopt;
  return result;
}
inline std::optional<int64_t> checked_mul_signed(int64_t a, int64_t b) {
  int64_t result;
  if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
  return result;
}

// int(float(a) * factor) of Python: the double next to the product, rounded to zero.
inline std::optional<int64_t> checked_scale(int64_t a, double factor) {
  const double product = static_cast<double>(a) * factor;
  if (!(product > -0x1p63 && product < 0x1p63)) return std::nullopt;
  return static_cast<int64_t>(product);
}

// Whether [offset, offset + length) lies within [0, size).
inline bool range_fits(uint64_t offset, uint64_t length, uint64_t size) {
  return offset <= size && length <= size - offset;
}

// The next multiple of `alignment`, a power of two; nothing when it does not fit.
inline std::optional<uint64_t> checked_align(uint64_t value, uint64_t alignment) {
  auto sum = checked_add(value, alignment - 1);
  if (!sum) return std::nullopt;
  return *sum & ~(alignment - 1);
}

}  // namespace slipway
