// How the caller of this thread wants engines to run.
#pragma once

#include <optional>

#include "base/queued_run.h"

namespace slipway::cuda {

// The one of slipway::cuda::StreamGuard, or else of ExecuTorch's caller stream, where a library of
// this process has that. Nothing where the caller chose none; null is a stream.
std::optional<void*> caller_stream();

// The one of slipway::cuda::ProfileGuard. Nothing where the caller chose none.
std::optional<int> caller_profile();

// Where the caller of this thread waits for queued work itself; null where it does not.
QueuedRun* caller_queue();

// Looks for ExecuTorch's stream, unless it is found already. Any thread may call it.
void find_executorch_stream();

}  // namespace slipway::cuda
