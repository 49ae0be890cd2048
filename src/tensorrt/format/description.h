// What files and those who run them know of TensorRT's engines.
#pragma once

#include "engine/description.h"
#include "engine/record.h"
#include "tensorrt/format/blob.h"

namespace slipway::tensorrt {

// A load option of the delegate and a compile spec: "cuda:0".
inline constexpr const char* kDeviceOption = "target_device";
// Load options of the delegate and compile specs: bytes of weights on the device, for each engine
// and for all of a program, as decimal digits.
inline constexpr const char* kBudgetOption = "weight_streaming_budget";
inline constexpr const char* kTotalOption = "weight_streaming_total";
inline constexpr const char* kGraphsOption = "use_cuda_graphs";

// Load options, true or false.
inline constexpr const char* kShareEnginesOption = "use_shared_engines";
inline constexpr const char* kShareScratchOption = "use_shared_activation_scratch";

extern const engine::Description kDescription;

// What a record says of its plan's blob; the writer's own metadata, the platform and the GPU are
// left to the caller.
Metadata metadata_of(const engine::EngineRecord& record);

}  // namespace slipway::tensorrt
