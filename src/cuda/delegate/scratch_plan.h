// Where the buffers lie that an engine has for itself while it runs.
#pragma once

#include <cstdint>
#include <vector>

#include "cuda/format/engine_generated.h"
#include "slipway/result.h"

namespace slipway::cuda {

struct ScratchPlan {
  std::vector<uint64_t> offsets;  // of each buffer; 0 of those that are no scratch
  uint64_t bytes = 0;             // of all together
};

// Buffers that no step needs at once may share memory. `numbers` has their sizes, none below 0.
Result<ScratchPlan> plan_scratch(const table::EngineT& engine, const std::vector<int64_t>& numbers);

}  // namespace slipway::cuda
