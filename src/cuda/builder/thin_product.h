// Products of a few rows and a matrix (thin_product.txt): the matrix is read once, at the speed of
// memory, and the threads of a block share each sum, which is in float32.
#pragma once

#include <optional>

#include "cuda/builder/kernel.h"
#include "cuda/builder/packed_weights.h"
#include "cuda/builder/tiled_product.h"

namespace slipway::cuda {

// Of the two types that the operands' elements have in memory.
struct ThinProduct {
  TiledProduct product;  // b's elements are loaded as vectors
  DType a_type = DType::kFloat32;
  DType b_type = DType::kFloat32;
  // b, where it is computed from codes.
  std::optional<PackedWeights> packed = {};
};

// Whether this is worth while for so many rows.
bool is_thin(const ir::SymInt& rows, const ir::SymInt& k);

// The whole kernel.
void emit_thin_product(Kernel& kernel, const ThinProduct& product);

}  // namespace slipway::cuda
