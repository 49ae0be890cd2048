// Plans of cuDNN that an engine keeps, as they were the fastest on its device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "cuda/format/engine_generated.h"
#include "slipway/result.h"

namespace slipway::cuda {

// Of EngineT::plans, for each choice with a LibraryGraph: plans have 2 to 80 KB.
inline constexpr size_t kPlanRoom = size_t{96} << 10;

// By the steps that they are for. kInvalidFile where they are damaged.
Result<std::map<uint32_t, std::string_view>> read_plans(const table::EngineT& engine);

// In place of those that are there, as many as there is room for.
void write_plans(table::EngineT& engine, const std::map<uint32_t, std::string>& plans);

}  // namespace slipway::cuda
