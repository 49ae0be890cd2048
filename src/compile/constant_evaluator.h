// Computes constants ahead of time.
#pragma once

#include <vector>

#include "ir/program.h"
#include "slipway/result.h"

namespace slipway {

// Runs a program without user inputs on the kernels that the compiled program would use, so that a
// folded constant has the value that a run would give. One tensor an output.
Result<std::vector<ir::ConstantData>> evaluate_constants(const ir::Program& program);

}  // namespace slipway
