// The engines there are, and the step of the pipeline that gives them parts of a program.
#pragma once

#include <memory>
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
  std::vector<std::string> origins;  // of each outside: ir::Node::origin()
};

using Builders = std::vector<std::unique_ptr<build::Builder>>;
// Those of the engine of `options`, one a target; none for EngineKind::kNone.
Builders make_builders(const CompileOptions& options);

// Builds engines for the parts of a functional program that the builders take, and puts calls in
// their place: each builds every partition for a target of its own, and the first one says what can
// be built. A build that refuses nodes, or that fails at one, leaves them outside, and the program
// is cut again. Without builders nothing happens.
Result<ProgramEngines> build_engines(ir::Program& program, const Builders& builders,
                                     const CompileOptions& options);

}  // namespace slipway
