// Products of few rows and packed weights by tensor cores (packed_product.txt).
#pragma once

#include "cuda/builder/thin_product.h"

namespace slipway::cuda {

// Whether this is one, with rows whose elements are in memory in the weights' type.
bool is_packed_product(const ThinProduct& product);

// The whole kernel.
void emit_packed_product(Kernel& kernel, const ThinProduct& product);

}  // namespace slipway::cuda
