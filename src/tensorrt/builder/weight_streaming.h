// Budgets of weights that stay on the device, for engines that stream the rest.
#pragma once

#include <vector>

#include "engine/record.h"
#include "tensorrt/builder/options.h"

namespace slipway::tensorrt {

// Stores the options' budgets in the compile specs of the engines of a file:
// "weight_streaming_budget" is the engine's own, in bytes; "weight_streaming_total" is what all
// engines have together, where that was given. A delegate that knows the total shares it out
// again, by what can really be streamed; until then each engine's share is in proportion to the
// constants of its partition, rounded down, so that the shares never sum to more than the total.
void set_weight_streaming_budgets(const std::vector<engine::Engine*>& engines,
                                  const Options& options);

}  // namespace slipway::tensorrt
