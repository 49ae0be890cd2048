// PyTorch's type promotion.
#pragma once

#include <span>

#include "ir/graph.h"
#include "slipway/tensor.h"

namespace slipway::ir {

// torch.promote_types. Pairs that PyTorch refuses (of a float8 type, or of integers wider than
// uint8 without sign) give some type.
DType promote_types(DType a, DType b);

// Python's kinds of numbers, which decide how far a number promotes a tensor.
enum class ScalarKind : uint8_t { kBool, kInt, kFloat };

// torch.result_type: a number or a 0-dim tensor changes the type only where it is of a higher
// category (bool < integer < floating point < complex) than what has a higher priority (tensors
// with dimensions, then 0-dim tensors, then numbers).
class ResultType {
 public:
  ResultType& add(const TensorType& tensor);
  ResultType& add(ScalarKind scalar);
  DType get() const;

 private:
  std::optional<DType> dimensioned_;
  std::optional<DType> zero_dim_;
  std::optional<DType> number_;
};

// The floating point type that exp(), mean() and true division give for integers and bools:
// float32; other types stay.
DType to_floating_point(DType dtype);
// The type that sum() and cumsum() accumulate in: int64 for integers and bools; others stay.
DType accumulation_type(DType dtype);

// What a type of integers makes of one that it can't hold: it wraps around, as in PyTorch. Other
// types leave it.
int64_t wrapped(int64_t number, DType dtype);

}  // namespace slipway::ir
