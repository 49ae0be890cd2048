// Complex tensors and their real and imaginary parts.
#pragma once

#include <cstdint>

#include "passes/decompositions/context.h"

namespace slipway::passes::decompositions {

DType part_type(DType complex);
DType complex_of(DType real);

// The parts of a complex tensor: [..., 2].
ir::Value* parts(Context& c, ir::Value* x);
// The real (0) or the imaginary part (1) of a complex tensor.
ir::Value* part(Context& c, ir::Value* x, int64_t i);
// The complex tensor of two real ones of the same type and sizes.
ir::Value* complex_from(Context& c, ir::Value* real, ir::Value* imaginary);

}  // namespace slipway::passes::decompositions
