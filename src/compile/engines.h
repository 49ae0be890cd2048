// The engines there are, and the step of the pipeline that gives them parts of a program.
#pragma once

#include <string>
#include <vector>

#include "build/builder.h"
#include "engine/manifest.h"
#include "engine/record.h"
#include "ir/program.h"
#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway {

// What became of a program's nodes.
struct ProgramEngines {
  std::vector<engine::Engine> engines;          // what the program calls, by index
  std::vector<std::vector<std::string>> nodes;  // of each engine: "conv2d (aten.conv2d.default)"
  std::vector<engine::ManifestOutside> outside;
};

// Builds engines for the parts of a functional program that the engine of `options` takes, and puts
// calls in their place. A build that refuses nodes leaves them outside, and the program is cut
// again. Without an engine nothing happens.
Result<ProgramEngines> build_engines(ir::Program& program, const CompileOptions& options);
// The same for a builder of the caller's.
Result<ProgramEngines> build_engines(ir::Program& program, const build::Builder& builder,
                                     const CompileOptions& options);

}  // namespace slipway
