// Intervals with whole ends, with room for what two 64-bit ends multiply to.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "slipway/tensor.h"

namespace slipway::partition {

__extension__ using Wide = __int128;

// Not empty. Ends that are not known are those of 64 bits. Around floats it also says that none of
// them is NaN.
struct Interval {
  Wide min = INT64_MIN;
  Wide max = INT64_MAX;

  bool operator==(const Interval&) const = default;
  bool contains(const Interval& other) const { return min <= other.min && other.max <= max; }
};

inline Interval join(const Interval& a, const Interval& b) {
  return {std::min(a.min, b.min), std::max(a.max, b.max)};
}

// Of operands within 64 bits, or the product of such.
inline Interval operator+(const Interval& a, const Interval& b) {
  return {a.min + b.min, a.max + b.max};
}
inline Interval operator-(const Interval& a, const Interval& b) {
  return {a.min - b.max, a.max - b.min};
}

// The smallest interval with what `function` gives for the ends; the whole result where it is
// monotone in each of its arguments.
template <class Function>
Interval at_ends(const Interval& a, const Interval& b, Function function) {
  const auto [low, high] = std::minmax({function(a.min, b.min), function(a.min, b.max),
                                        function(a.max, b.min), function(a.max, b.max)});
  return {low, high};
}
inline Interval operator*(const Interval& a, const Interval& b) {
  return at_ends(a, b, [](Wide x, Wide y) { return x * y; });
}

// What an integer or bool type holds; nothing for others. uint64 counts as not known at all.
inline std::optional<Interval> type_interval(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return Interval{0, 1};
    case DType::kUInt8:
      return Interval{0, UINT8_MAX};
    case DType::kInt8:
      return Interval{INT8_MIN, INT8_MAX};
    case DType::kUInt16:
      return Interval{0, UINT16_MAX};
    case DType::kInt16:
      return Interval{INT16_MIN, INT16_MAX};
    case DType::kUInt32:
      return Interval{0, UINT32_MAX};
    case DType::kInt32:
      return Interval{INT32_MIN, INT32_MAX};
    case DType::kInt64:
    case DType::kUInt64:
      return Interval{};
    default:
      return std::nullopt;
  }
}

// As far as whole numbers are exact in the type, so that rounding stays within whole ends; nothing
// for complex numbers.
inline std::optional<Interval> exact_interval(DType dtype) {
  const auto up_to = [](int bits) { return Interval{-(Wide(1) << bits), Wide(1) << bits}; };
  switch (dtype) {
    case DType::kFloat64:
      return up_to(53);
    case DType::kFloat32:
      return up_to(24);
    case DType::kFloat16:
      return up_to(11);
    case DType::kBFloat16:
      return up_to(8);
    default:
      return type_interval(dtype);
  }
}

}  // namespace slipway::partition
