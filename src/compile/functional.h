// The steps that outputs have in common.
#pragma once

#include <vector>

#include "compile/compilers.h"
#include "compile/engines.h"
#include "ir/program.h"
#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway {

// Makes a program functional, without what does nothing or is not used: what partitions and the
// lowering to ONNX take. Tells `options.on_step`, and verifies where `options` ask for it.
Status make_functional(ir::Program& program, const CompileOptions& options);

// Of the steps between those and the next, the one that outputs have in common.
inline constexpr const char* kPrepare = "prepare for engines";
// The last one of archives with engines.
inline constexpr const char* kFitPyTorch = "fit PyTorch";
// Shows the program, and verifies it, as `options` want it after a step.
Status look_at(const ir::Program& program, const char* step, const CompileOptions& options);

// What the user says of sizes. An engine serves those of its limits only, so the program does.
Status apply_limits(std::vector<ir::Program>& programs, const Compilers& compilers,
                    const CompileOptions& options);

// Makes a program functional, and has engines take their parts of it: it calls them afterwards.
// What is built comes behind what was `found`.
Result<ProgramEngines> take_parts(ir::Program& program, ProgramEngines found,
                                  const Compilers& compilers, const CompileOptions& options);

// What is left for kernels, as the emitter takes it.
Status make_kernel_program(ir::Program& program, const CompileOptions& options);

}  // namespace slipway
