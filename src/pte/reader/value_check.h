// A method's values: what each is before the first instruction runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pte/reader/tables.h"
#include "pte/reader/tensor_check.h"

namespace slipway::pte {

// What a value may be at some point, as a set. Instructions change values: symbolic operators write
// other numbers, moves and views give a tensor other memory.
using ValueKinds = uint16_t;
inline constexpr ValueKinds kNone = 1 << 0;
inline constexpr ValueKinds kInt = 1 << 1;
inline constexpr ValueKinds kDouble = 1 << 2;
inline constexpr ValueKinds kBool = 1 << 3;
inline constexpr ValueKinds kString = 1 << 4;
inline constexpr ValueKinds kIntList = 1 << 5;
inline constexpr ValueKinds kDoubleList = 1 << 6;
inline constexpr ValueKinds kBoolList = 1 << 7;
inline constexpr ValueKinds kTensorList = 1 << 8;
inline constexpr ValueKinds kOptionalTensorList = 1 << 9;
// Tensors by what may be done with their memory. A constant must not be written to. The memory of
// an input is as large as the caller made it: its bytes may be written, but an out-argument may
// grow. What has no memory yet must not be touched.
inline constexpr ValueKinds kWritableTensor = 1 << 10;
inline constexpr ValueKinds kInPlaceTensor = 1 << 11;
inline constexpr ValueKinds kReadOnlyTensor = 1 << 12;
inline constexpr ValueKinds kUnboundTensor = 1 << 13;

inline constexpr ValueKinds kScalar = kInt | kDouble | kBool;
inline constexpr ValueKinds kReadableTensor = kWritableTensor | kInPlaceTensor | kReadOnlyTensor;
inline constexpr ValueKinds kTensor = kReadableTensor | kUnboundTensor;

// "an int", "a tensor or None"
std::string describe(ValueKinds kinds);

struct ValueFacts {
  ValueKinds kinds = kNone;
  TensorFacts tensor;  // of tensors only
};

// Checks every value, lists' items included. The plan's inputs and outputs are in range.
Result<std::vector<ValueFacts>> check_values(const Tables& tables, const fb::ExecutionPlan& plan);

}  // namespace slipway::pte
