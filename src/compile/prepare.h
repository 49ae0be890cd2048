// What is done to a functional program so that an engine takes more of it.
#pragma once

#include <functional>

#include "compile/compilers.h"
#include "ir/program.h"
#include "onnx/lowering.h"
#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway {

// Folds constants and decomposes nodes for the engines, each of which may take what is left.
Status prepare_for_engines(ir::Program& program, const Compilers& compilers,
                           const CompileOptions& options);
// The same for a program that is to be lowered as a whole.
Status prepare_for_lowering(ir::Program& program, const onnx::LoweringOptions& lowering);

}  // namespace slipway
