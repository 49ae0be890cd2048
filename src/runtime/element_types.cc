#include "runtime/element_types.h"

#include <utility>

namespace slipway::runtime {
namespace {

using executorch::aten::ScalarType;

constexpr std::pair<DType, ScalarType> kTypes[] = {
    {DType::kUInt8, ScalarType::Byte},
    {DType::kInt8, ScalarType::Char},
    {DType::kInt16, ScalarType::Short},
    {DType::kInt32, ScalarType::Int},
    {DType::kInt64, ScalarType::Long},
    {DType::kFloat16, ScalarType::Half},
    {DType::kFloat32, ScalarType::Float},
    {DType::kFloat64, ScalarType::Double},
    {DType::kComplex32, ScalarType::ComplexHalf},
    {DType::kComplex64, ScalarType::ComplexFloat},
    {DType::kComplex128, ScalarType::ComplexDouble},
    {DType::kBool, ScalarType::Bool},
    {DType::kBFloat16, ScalarType::BFloat16},
    {DType::kFloat8E4M3FN, ScalarType::Float8_e4m3fn},
    {DType::kFloat8E5M2, ScalarType::Float8_e5m2},
    {DType::kFloat8E4M3FNUZ, ScalarType::Float8_e4m3fnuz},
    {DType::kFloat8E5M2FNUZ, ScalarType::Float8_e5m2fnuz},
    {DType::kUInt16, ScalarType::UInt16},
    {DType::kUInt32, ScalarType::UInt32},
    {DType::kUInt64, ScalarType::UInt64},
};

}  // namespace

std::optional<DType> from_executorch(ScalarType type) {
  for (const auto& [ours, theirs] : kTypes) {
    if (theirs == type) return ours;
  }
  return std::nullopt;
}

std::optional<ScalarType> to_executorch(DType dtype) {
  for (const auto& [ours, theirs] : kTypes) {
    if (ours == dtype) return theirs;
  }
  return std::nullopt;
}

}  // namespace slipway::runtime
