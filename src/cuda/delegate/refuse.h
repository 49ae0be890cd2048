// How the delegate says what went wrong: ExecuTorch's log and errors.
#pragma once

#include <executorch/runtime/core/error.h>

#include "slipway/result.h"

namespace slipway::cuda {

// Begins each message.
inline constexpr const char* kTitle = "CUDA engine";

// Logs the error, and gives the one of ExecuTorch that stands for it.
executorch::runtime::Error refuse(const Error& error);
executorch::runtime::Error refuse(const Error& error, executorch::runtime::Error code);

}  // namespace slipway::cuda
