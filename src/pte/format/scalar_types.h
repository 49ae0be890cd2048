// Element types as their numbers in a `.pte`, which are PyTorch's own.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "pte/format/program_generated.h"
#include "slipway/tensor.h"

namespace slipway::pte {

// The schema names no complex types, but ExecuTorch has them under PyTorch's numbers.
inline constexpr std::array<std::pair<DType, int8_t>, 20> kScalarTypes = {{
    {DType::kUInt8, 0},           {DType::kInt8, 1},
    {DType::kInt16, 2},           {DType::kInt32, 3},
    {DType::kInt64, 4},           {DType::kFloat16, 5},
    {DType::kFloat32, 6},         {DType::kFloat64, 7},
    {DType::kComplex32, 8},       {DType::kComplex64, 9},
    {DType::kComplex128, 10},     {DType::kBool, 11},
    {DType::kBFloat16, 15},       {DType::kFloat8E5M2, 23},
    {DType::kFloat8E4M3FN, 24},   {DType::kFloat8E5M2FNUZ, 25},
    {DType::kFloat8E4M3FNUZ, 26}, {DType::kUInt16, 27},
    {DType::kUInt32, 28},         {DType::kUInt64, 29},
}};

// Nothing for a type that ExecuTorch lacks: float8_e8m0fnu.
inline std::optional<executorch_flatbuffer::ScalarType> scalar_type_of(DType dtype) {
  for (const auto& [candidate, number] : kScalarTypes) {
    if (candidate == dtype) return static_cast<executorch_flatbuffer::ScalarType>(number);
  }
  return std::nullopt;
}

// Nothing for a number that is no type, and for the quantized and bit types.
inline std::optional<DType> dtype_of(executorch_flatbuffer::ScalarType scalar_type) {
  for (const auto& [dtype, number] : kScalarTypes) {
    if (static_cast<executorch_flatbuffer::ScalarType>(number) == scalar_type) return dtype;
  }
  return std::nullopt;
}

}  // namespace slipway::pte
