// For the parts of the stand-in for NVIDIA's driver that queue work.
#pragma once

#include <functional>

namespace slipway::cuda {

// Queues it on a stream, as it would a kernel; it gives 0 or an error's number. Likewise here.
int queue_work(void* stream, std::function<int()> work);

}  // namespace slipway::cuda
