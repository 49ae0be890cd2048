#include "ir/promotion.h"

#include <algorithm>

namespace slipway::ir {

namespace {

// bool < integers < floating point < complex
int category(DType dtype) {
  if (dtype == DType::kBool) return 0;
  if (is_integral(dtype)) return 1;
  return is_complex(dtype) ? 3 : 2;
}

DType promote_integers(DType a, DType b) {
  if ((a == DType::kUInt8 && b == DType::kInt8) || (a == DType::kInt8 && b == DType::kUInt8)) {
    return DType::kInt16;
  }
  return dtype_size(a) >= dtype_size(b) ? a : b;
}

DType promote_floats(DType a, DType b) {
  if (dtype_size(a) == dtype_size(b)) return DType::kFloat32;  // float16 and bfloat16
  return dtype_size(a) > dtype_size(b) ? a : b;
}

DType complex_of(DType dtype) {
  if (is_complex(dtype)) return dtype;
  if (dtype == DType::kFloat64) return DType::kComplex128;
  if (dtype == DType::kFloat32 || dtype == DType::kBFloat16) return DType::kComplex64;
  return DType::kComplex32;
}

}  // namespace

DType promote_types(DType a, DType b) {
  if (a == b) return a;
  if (category(a) < category(b)) std::swap(a, b);
  if (category(a) == 3) {
    DType other = complex_of(b);
    return dtype_size(other) > dtype_size(a) ? other : a;
  }
  if (category(a) != category(b)) return a;
  return category(a) == 2 ? promote_floats(a, b) : promote_integers(a, b);
}

ResultType& ResultType::add(const TensorType& tensor) {
  std::optional<DType>& slot = tensor.sizes.empty() ? zero_dim_ : dimensioned_;
  slot = slot ? promote_types(*slot, tensor.dtype) : tensor.dtype;
  return *this;
}

ResultType& ResultType::add(ScalarKind scalar) {
  DType dtype = scalar == ScalarKind::kBool  ? DType::kBool
                : scalar == ScalarKind::kInt ? DType::kInt64
                                             : DType::kFloat32;
  number_ = number_ ? promote_types(*number_, dtype) : dtype;
  return *this;
}

DType ResultType::get() const {
  std::optional<DType> result = dimensioned_;
  for (const std::optional<DType>& lower : {zero_dim_, number_}) {
    if (!lower) continue;
    if (!result) {
      result = lower;
    } else if (category(*lower) > category(*result)) {
      // A floating point type keeps its precision as a complex one.
      result = category(*result) == 2 ? complex_of(*result) : promote_types(*result, *lower);
    }
  }
  return result.value_or(DType::kFloat32);
}

DType to_floating_point(DType dtype) { return category(dtype) < 2 ? DType::kFloat32 : dtype; }

DType accumulation_type(DType dtype) { return category(dtype) < 2 ? DType::kInt64 : dtype; }

int64_t wrapped(int64_t number, DType dtype) {
  switch (dtype) {
    case DType::kUInt8:
      return static_cast<uint8_t>(number);
    case DType::kInt8:
      return static_cast<int8_t>(number);
    case DType::kInt16:
      return static_cast<int16_t>(number);
    case DType::kInt32:
      return static_cast<int32_t>(number);
    default:
      return number;
  }
}

}  // namespace slipway::ir
