// Whether this machine runs a TensorRT plan.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "slipway/result.h"

namespace slipway::cli {

// The error says why it doesn't: TensorRT is not here, is another version than `built_with`
// ("TensorRT-RTX 1.7.1"; empty where that is not known), or says so itself of the plan's header. A
// text for people otherwise. `library` is as --tensorrt-lib has it. The plan's body is not looked
// at: that is what checksums are for.
Result<std::string> check_plan(std::span<const std::byte> plan, const std::string& built_with,
                               const std::string& library);

}  // namespace slipway::cli
