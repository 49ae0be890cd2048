// Which constants of an engine stay on the device, and which are brought there in each call.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cuda/format/engine_generated.h"

namespace slipway::cuda {

// Constants are looked at in ranges, within which they overlap. What is not on the device all the
// time is copied, before the steps that read it, to one of two places: the load i to place i % 2.
struct WeightPlan {
  struct Range {
    uint64_t begin = 0;  // among all constants
    uint64_t size = 0;
    std::optional<uint64_t> offset = {};  // on the device, where it stays there
  };
  struct Part {
    uint32_t range = 0;
    uint64_t offset = 0;  // in the place
  };
  struct Load {
    size_t first_step = 0;  // that reads it, and so may those up to the next load's
    std::vector<Part> parts = {};
  };

  std::vector<Range> ranges;  // ascending
  std::vector<Load> loads;    // in order of the steps
  uint64_t resident_bytes = 0;
  uint64_t place_bytes = 0;  // of each of the two places; 0 where nothing is brought

  uint64_t bytes_on_device() const { return resident_bytes + 2 * place_bytes; }
  const Range& range_of(uint64_t offset) const;
};

// What is on the device, the places included, takes no more than the budget, or as little as can
// be. Without a budget, and with one that all constants fit into, all of them stay there.
WeightPlan plan_weights(const table::EngineT& engine, std::optional<uint64_t> budget);

}  // namespace slipway::cuda
