// What is done to a functional program so that an engine takes more of it.
#pragma once

#include <functional>

#include "build/builder.h"
#include "ir/program.h"
#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway {

// Folds constants and decomposes nodes for an engine that `builder` builds.
Status prepare_for_engine(ir::Program& program, const build::Builder& builder,
                          const CompileOptions& options);
// The same for a program that is to be lowered as a whole.
Status prepare_for_lowering(ir::Program& program, const onnx::LoweringOptions& lowering);

}  // namespace slipway
