// A part of a program as a program of its own, in memory: the kernels and the engine that are
// compared run it.
#pragma once

#include <string>
#include <vector>

#include "engine/record.h"
#include "ir/program.h"
#include "partition/partition.h"
#include "slipway/module.h"
#include "slipway/result.h"
#include "slipway/tensor.h"

namespace slipway {

// An engine and the part of the program that it was built of.
struct EngineOfPart {
  const partition::Partition& part;
  // What it takes: some of the part's inputs, in order, and then these symbols.
  const std::vector<const ir::Value*>& inputs;
  const std::vector<std::string>& symbols;
  const engine::Engine& engine;
};

// The part without its engine. It takes the part's inputs and then, for each symbol that none of
// them defines, a tensor of so many elements.
Result<Method> load_kernels(const ir::Program& program, const EngineOfPart& engine);

// Runs a part and copies its outputs, which are tensors.
Result<std::vector<Tensor>> run_part(const Method& method, const std::vector<Value>& inputs);

// Has the engine run as a file has it, in a process of its own, on each list of what load_kernels()
// takes: the outputs of each. kUnsupported where it does not run, with the reason; kUnavailable
// where what runs such engines is not here.
Result<std::vector<std::vector<Tensor>>> run_by_runtime(
    const ir::Program& program, const EngineOfPart& engine,
    const std::vector<std::vector<Value>>& inputs);

}  // namespace slipway
