#include "difference.h"

#include <cmath>
#include <cstring>

#include <executorch/runtime/core/portable_type/bfloat16.h>
#include <executorch/runtime/core/portable_type/half.h>
#include <fmt/core.h>

namespace slipway::conformance {
namespace {

constexpr double kDoublePrecision = 1e-5;

double number(const Tensor& tensor, int64_t i) {
  switch (tensor.dtype()) {
    case DType::kFloat16:
      return static_cast<float>(tensor.data_as<executorch::runtime::etensor::Half>()[i]);
    case DType::kBFloat16:
      return static_cast<float>(tensor.data_as<executorch::runtime::etensor::BFloat16>()[i]);
    case DType::kFloat32:
      return tensor.data_as<float>()[i];
    default:
      return tensor.data_as<double>()[i];
  }
}

bool near(double found, double expected, double tolerance) {
  if (found == expected || (std::isnan(found) && std::isnan(expected))) return true;
  return std::isfinite(found) && std::isfinite(expected) &&
         std::abs(found - expected) <= tolerance + tolerance * std::abs(expected);
}

}  // namespace

std::optional<std::string> difference(const Value& found, const Value& expected, double tolerance,
                                      bool any_for_nan) {
  const std::string type = format_value_type(found);
  if (type != format_value_type(expected)) {
    return fmt::format("it is {}, not {}", type, format_value_type(expected));
  }
  if (!std::holds_alternative<Tensor>(expected)) return std::nullopt;
  const auto& a = std::get<Tensor>(found);
  const auto& b = std::get<Tensor>(expected);
  if (!is_floating_point(b.dtype())) {
    if (b.nbytes() == 0 || std::memcmp(a.data(), b.data(), b.nbytes()) == 0) return std::nullopt;
    const size_t width = dtype_size(b.dtype());
    for (int64_t i = 0; i < b.numel(); ++i) {
      if (std::memcmp(a.data_as<char>() + i * width, b.data_as<char>() + i * width, width) != 0) {
        return fmt::format("{}: element {} differs", type, i);
      }
    }
  }
  // What is computed in float32 and shown as float64 is off by more.
  if (b.dtype() == DType::kFloat64) tolerance *= kDoublePrecision;
  for (int64_t i = 0; i < b.numel(); ++i) {
    const double x = number(a, i);
    const double y = number(b, i);
    if (near(x, y, tolerance) || (any_for_nan && std::isnan(y))) continue;
    return fmt::format("{}: element {} is {:.9g}, not {:.9g}", type, i, x, y);
  }
  return std::nullopt;
}

}  // namespace slipway::conformance
