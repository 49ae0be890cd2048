// What of TensorRT is on this machine, and whether it runs a plan.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "slipway/result.h"

namespace slipway::tensorrt {

// The error says why it doesn't: TensorRT is not here, is another version than `built_with`
// ("TensorRT-RTX 1.7.1"; empty where that is not known), or says so itself of the plan's header. A
// text for people otherwise. `library` is as Options has it. The plan's body is not looked
// at: that is what checksums are for.
Result<std::string> check_plan(std::span<const std::byte> plan, const std::string& built_with,
                               const std::string& library);

// Rows of a table: the driver, what each GPU runs, and the library.
std::vector<std::pair<std::string, std::string>> machine_state();

}  // namespace slipway::tensorrt
