// Products of matrices, whose operands may be anything that gives their elements.
#pragma once

#include <functional>
#include <string>

#include "cuda/builder/kernel.h"
#include "cuda/builder/value.h"

namespace slipway::cuda {

struct Product {
  Sizes batch;
  ir::SymInt m;
  ir::SymInt n;
  ir::SymInt k;
  DType dtype = DType::kFloat32;  // of the sums
  // An element at the place in the batch, [m, k] and [k, n].
  using Operand =
      std::function<std::string(Kernel&, const Indices&, const std::string&, const std::string&)>;
  Operand a;
  Operand b;
  // Whether elements of b that follow each other in memory do so along k.
  bool b_is_along_k = false;
  // Takes the sum for [m, n].
  std::function<void(Kernel&, const Indices&, const std::string&, const std::string&,
                     const std::string&)>
      store;
};

// The whole kernel.
void emit_product(Kernel& kernel, const Product& product);

}  // namespace slipway::cuda
