// Which operators torch.autocast gives their operands in another type.
#pragma once

#include <string_view>

#include "slipway/tensor.h"

namespace slipway::passes {

// Whether an operator ("aten.linear.default") that gave `result` under autocast was handed its
// float32, float16 and bfloat16 operands in that type. An archive states what operators gave, and
// not the casts before them.
bool autocast_casts(std::string_view op, DType result);

}  // namespace slipway::passes
