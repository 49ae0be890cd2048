// How many bytes of an engine's weights stay on the device: what was asked for, and making it so.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <executorch/runtime/backend/interface.h>

#include "slipway/result.h"
#include "tensorrt/library/engine.h"

namespace slipway::tensorrt {

// The name of the load option and of the compile spec.
inline constexpr const char* kBudget = "weight_streaming_budget";

// A decimal number of bytes from 0 to INT64_MAX, digits alone; nothing for any other text.
std::optional<int64_t> parse_budget(std::string_view text);

// What a load option, or else a compile spec, asks for; nothing where the budget is TensorRT's to
// choose. kInvalidFile for what is no budget, or is there twice. An empty option is logged, and
// asks for nothing.
Result<std::optional<int64_t>> requested_budget(
    const executorch::runtime::BackendInitContext& context,
    executorch::runtime::ArrayRef<executorch::runtime::CompileSpec> specs);

// Before the engine has a context. At most what can be streamed; where TensorRT chooses and can't
// have its choice, all is streamed. An engine that can't stream is left alone, with a message where
// a budget was asked for.
Status apply_budget(Engine& engine, std::optional<int64_t> requested);

}  // namespace slipway::tensorrt
