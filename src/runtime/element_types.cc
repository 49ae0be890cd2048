#include "runtime/element_types.h"

#include "pte/format/scalar_types.h"

namespace slipway::runtime {

using executorch::aten::ScalarType;

std::optional<DType> from_executorch(ScalarType type) {
  return pte::dtype_of(static_cast<executorch_flatbuffer::ScalarType>(type));
}

std::optional<ScalarType> to_executorch(DType dtype) {
  const auto number = pte::scalar_type_of(dtype);
  if (!number) return std::nullopt;
  return static_cast<ScalarType>(*number);
}

}  // namespace slipway::runtime
