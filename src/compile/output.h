// What goes together with each kind of output.
#pragma once

#include <cstddef>

#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway {

bool is_onnx(Output output);

// An error for more methods or engines than the output of `options` holds, and for options that
// have no effect on it.
Status check_output(const CompileOptions& options, size_t methods);

}  // namespace slipway
