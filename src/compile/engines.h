// The step of the pipeline that gives engines their parts of a program.
#pragma once

#include <string>
#include <vector>

#include "compile/compilers.h"
#include "engine/manifest.h"
#include "engine/record.h"
#include "engine_build/compiler.h"
#include "ir/program.h"
#include "slipway/compile.h"
#include "slipway/program.h"
#include "slipway/result.h"

namespace slipway {

// What became of a program's nodes.
struct ProgramEngines {
  std::vector<engine::Engine> engines;          // what the program calls, by index
  std::vector<std::vector<std::string>> nodes;  // of each engine: "conv2d (aten.conv2d.default)"
  std::vector<engine::EngineGraph> graphs;      // of these; empty where there are too many
  std::vector<engine::ManifestOutside> outside;
  std::vector<std::string> origins;  // of each outside: ir::Node::origin()
  // Of each engine: its nodes that engines before it in the list do not take, and why.
  std::vector<std::vector<engine::ManifestOutside>> passed_over;
  std::vector<std::string> warnings;  // of what the program came with
};

// Takes the engines that the program came with, as the archive has it: the calls of all of them.
Result<ProgramEngines> take_engines(ir::Program& program);
// Those of a program that stays as it is, each by itself, in the same order: what is wrong with one
// is its own.
std::vector<engine_build::ListedEngine> list_engines(const Program& program);

// Builds engines for the parts of a functional program that compilers take, and puts calls in
// their place: each builds every partition for a target of its own, and the first one says what can
// be built. A build that refuses nodes, or that fails at one, leaves them outside, and the program
// is cut again. Without compilers nothing happens. What is built comes behind what was `found`.
Result<ProgramEngines> build_engines(ir::Program& program, const Compilers& compilers,
                                     const CompileOptions& options, ProgramEngines found = {});

}  // namespace slipway
