// What files and those who run them know of engines of generated kernels.
#pragma once

#include "engine/description.h"

namespace slipway::cuda {

// Load options of the delegate and compile specs: "cuda:0", and whether it runs as CUDA graphs.
inline constexpr const char* kDeviceOption = "target_device";
inline constexpr const char* kGraphsOption = "use_cuda_graphs";
inline constexpr const char* kBudgetOption = "weight_streaming_budget";

extern const engine::Description kDescription;

}  // namespace slipway::cuda
