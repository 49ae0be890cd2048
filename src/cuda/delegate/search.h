// Finds the alternatives with which an engine is fastest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "slipway/result.h"

namespace slipway::cuda {

using Choices = std::vector<uint8_t>;

// Milliseconds of calls with each of some choices: of each a number of calls, which take turns, so
// that what disturbs them falls on all alike.
using TimeCalls = std::function<Result<std::vector<std::vector<double>>>(std::span<const Choices>)>;

struct Found {
  Choices choices;
  std::vector<std::pair<double, double>> times;  // of each choice: before and after, medians
};

// Each choice in turn, with the others as they are by then. The alternative of the least median
// replaces what was chosen if it was faster in three of four turns, and is so again when the two
// alone are timed. `counts`: how many alternatives each has.
Result<Found> find_fastest(Choices choices, std::span<const uint32_t> counts,
                           const TimeCalls& time_calls,
                           const std::function<void(size_t done)>& progress);

}  // namespace slipway::cuda
