#include "cli/compare.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/core.h>

#include "base/half.h"

namespace slipway::cli {
namespace {

// `read` makes a number of an element.
template <class T, class Read>
Comparison compare_elements(const T* found, const T* expected, size_t count,
                            const Tolerance& tolerance, Read read) {
  Comparison result;
  for (size_t i = 0; i < count; ++i) {
    const double f = read(found[i]);
    const double e = read(expected[i]);
    if (f == e || (std::isnan(f) && std::isnan(e))) continue;
    if (std::isfinite(f) && std::isfinite(e)) {
      const double difference = std::fabs(f - e);
      result.worst = std::max(result.worst, difference);
      if (difference <= tolerance.absolute + tolerance.relative * std::fabs(e)) continue;
    }
    if (result.problem.empty()) {
      result.problem = fmt::format("element {} is {:.9g}, not {:.9g}", i, f, e);
    }
  }
  result.equal = result.problem.empty();
  return result;
}

template <class T>
Comparison compare_numbers(const T* found, const T* expected, size_t count,
                           const Tolerance& tolerance) {
  return compare_elements(found, expected, count, tolerance,
                          [](T number) { return static_cast<double>(number); });
}

// Two units in the last place, where less is asked for.
Tolerance of_half(Tolerance tolerance, double unit) {
  return {std::max(tolerance.absolute, 2 * unit), std::max(tolerance.relative, 2 * unit)};
}

bool same_storage(DType found, DType expected) {
  if (found == expected) return true;
  if (found == DType::kBFloat16) return expected == DType::kUInt16;
  return is_floating_point(found) && dtype_size(found) == 1 && expected == DType::kUInt8;
}

}  // namespace

Comparison compare(const Tensor& found, const Tensor& expected, const Tolerance& tolerance) {
  if (!same_storage(found.dtype(), expected.dtype()) || found.sizes() != expected.sizes()) {
    return {false, 0,
            fmt::format("it is {}, not {}", format_type(found.dtype(), found.sizes()),
                        format_type(expected.dtype(), expected.sizes()))};
  }
  const auto count = static_cast<size_t>(found.numel());
  switch (found.dtype()) {
    case DType::kFloat32:
      return compare_numbers(found.data_as<float>(), expected.data_as<float>(), count, tolerance);
    case DType::kFloat64:
      return compare_numbers(found.data_as<double>(), expected.data_as<double>(), count, tolerance);
    case DType::kFloat16:
      return compare_elements(found.data_as<uint16_t>(), expected.data_as<uint16_t>(), count,
                              of_half(tolerance, 0x1p-10), from_float16);
    case DType::kBFloat16:
      return compare_elements(found.data_as<uint16_t>(), expected.data_as<uint16_t>(), count,
                              of_half(tolerance, 0x1p-7), from_bfloat16);
    case DType::kComplex64:
      return compare_numbers(found.data_as<float>(), expected.data_as<float>(), 2 * count,
                             tolerance);
    case DType::kComplex128:
      return compare_numbers(found.data_as<double>(), expected.data_as<double>(), 2 * count,
                             tolerance);
    default:
      break;
  }
  if (found.nbytes() == 0 || std::memcmp(found.data(), expected.data(), found.nbytes()) == 0) {
    return {true, 0, ""};
  }
  return {false, 0, "the values differ"};
}

}  // namespace slipway::cli
