// Calls of engines that Torch-TensorRT put into an exported program.
#pragma once

#include <cstddef>
#include <vector>

#include "engine_build/compiler.h"
#include "ir/program.h"
#include "slipway/result.h"

namespace slipway::tensorrt {

// Among an engine's options where Torch-TensorRT built it: the version of its ABI, and the platform
// that it is for, where that is said.
inline constexpr const char* kAbiOption = "torch_tensorrt_abi";
inline constexpr const char* kPlatformOption = "platform";

// The engines of the program's calls (tensorrt.execute_engine, and its placeholder in programs for
// another machine), in order; ir::kCallEngine takes their place, the i-th calling `first_engine` +
// i, and what only they used leaves the program. Plans are not copied, but for those in Base64.
// Errors name the node.
Result<std::vector<engine_build::FoundEngine>> take_engines(ir::Program& program,
                                                            size_t first_engine);

// Those of a program that stays as it is, each by itself, with the ones that this machine runs not.
std::vector<engine_build::ListedEngine> list_engines(const ir::Program& program);

}  // namespace slipway::tensorrt
