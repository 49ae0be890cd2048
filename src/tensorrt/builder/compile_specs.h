// What the delegate is told of a file's engines besides their bytes.
#pragma once

#include <vector>

#include "engine/record.h"
#include "tensorrt/builder/options.h"

namespace slipway::tensorrt {

// Stores options in the compile specs of the engines of a file. "use_cuda_graphs" is 1 or 0, where
// that was given. "weight_streaming_budget" is the engine's own, in bytes; "weight_streaming_total"
// is what all engines have together, where that was given. A delegate that knows the total shares
// it out again, by what can really be streamed; until then each engine's share is in proportion to
// the constants of its partition, rounded down, so that the shares never sum to more than the
// total.
void set_compile_specs(const std::vector<engine::Engine*>& engines, const Options& options);

}  // namespace slipway::tensorrt
