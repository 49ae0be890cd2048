// A program lowered to ONNX as a whole.
#pragma once

#include "onnx/graph.h"
#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway {

// What Output::kOnnx and kEngineOnnx of `options` hold.
Result<onnx::Graph> lower_to_onnx(const Program& program, const CompileOptions& options);

}  // namespace slipway
