// NumPy's .npy files, versions 1 to 3, as tensors.
//
// Types: bool, (u)int8 to (u)int64, float16 to float64, complex64 and complex128, little-endian.
// NumPy has no bfloat16 and no float8: store those as uint16 and uint8.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "slipway/export.h"
#include "slipway/result.h"
#include "slipway/tensor.h"

namespace slipway {

// A tensor of its own memory, contiguous; data in Fortran order is laid out anew. `name` is for
// messages. Fails with kInvalidFile, or kUnsupported for another type or byte order.
SLIPWAY_API Result<Tensor> read_npy(std::span<const std::byte> bytes, const std::string& name);
SLIPWAY_API Result<Tensor> read_npy(const std::string& path);

// Version 1.0, with the data 64-byte aligned, written atomically. kInvalidArgument for a type that
// NumPy lacks.
SLIPWAY_API Status write_npy(const std::string& path, const Tensor& tensor);

}  // namespace slipway
