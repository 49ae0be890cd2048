// The integers of a call: sizes, counts of bytes and of blocks, out of the sizes of its inputs.
#pragma once

#include <cstdint>
#include <vector>

#include "cuda/format/engine_generated.h"
#include "slipway/result.h"

namespace slipway::cuda {

// What numbers are made of.
struct CallSizes {
  std::vector<std::vector<int64_t>> inputs;  // the sizes of each
  std::vector<int64_t> elements;             // of each; only those matter that numbers name

  bool operator==(const CallSizes&) const = default;
};

// All numbers of an engine that check_engine() found right, for inputs of its ranks.
// kInvalidArgument where one does not fit in 64 bits or a division is by zero.
Result<std::vector<int64_t>> evaluate(const table::EngineT& engine, const CallSizes& sizes);

}  // namespace slipway::cuda
