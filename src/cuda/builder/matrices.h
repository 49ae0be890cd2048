// Operands of products: matrices, each in a batch of them.
#pragma once

#include <cstddef>
#include <string>

#include "cuda/builder/product.h"
#include "cuda/builder/tiled_product.h"
#include "cuda/builder/value.h"

namespace slipway::cuda {

// Of the indices of a batch, those of an operand: the last ones, and 0 where it has one matrix.
Indices batch_of(const Indices& batch, const Sizes& own);

// A matrix, or several: of the batch's dimensions it has the last ones, or 1 for them.
struct Matrices {
  Value* value = nullptr;
  Sizes batch;
  size_t row_dimension = 0;  // the rank, where it has none
  size_t k_dimension = 0;

  Indices at(const Indices& place, const std::string& row, const std::string& k) const;
};

struct MatrixProduct {
  Product product;
  Matrices a;
  Matrices b;
};

TiledOperand tiled_operand(Generator& generator, const Matrices& x, const Sizes& batch, DType type);
// What its elements have in memory; float32 for what is not there.
DType type_in_memory(const Matrices& x);

}  // namespace slipway::cuda
