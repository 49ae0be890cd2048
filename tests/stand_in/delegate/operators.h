// The operators of the stand-in, by ONNX's names.
#pragma once

#include <span>
#include <string_view>

#include "slipway/result.h"
#include "slipway/tensor.h"
#include "stand_in/format/blob.h"

namespace slipway::stand_in {

// Whether there is an operator of that name.
bool has_operator(std::string_view op);

// What the step gives of its inputs, in memory of its own or in that of an input. An error for
// anything that it does not compute, whatever the step and the inputs are.
Result<Tensor> run_step(const Step& step, std::span<const Tensor> inputs);

}  // namespace slipway::stand_in
