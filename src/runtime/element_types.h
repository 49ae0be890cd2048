// Element types of ExecuTorch in memory and ours: the numbers are those of the file.
#pragma once

#include <optional>

#include <executorch/runtime/core/exec_aten/exec_aten.h>

#include "slipway/tensor.h"

namespace slipway::runtime {

// Nothing for the quantized and bit types, which no tensor of ours can have.
std::optional<DType> from_executorch(executorch::aten::ScalarType type);
// Nothing for float8_e8m0fnu, which ExecuTorch lacks.
std::optional<executorch::aten::ScalarType> to_executorch(DType dtype);

}  // namespace slipway::runtime
