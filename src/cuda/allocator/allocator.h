// The memory of CUDA devices as ExecuTorch knows it: for memory that a program plans on a device,
// and state that is kept there.
#pragma once

#include <executorch/runtime/core/device_allocator.h>

namespace slipway::cuda {

// The process's. It is registered with ExecuTorch by whoever needs that, as a second one for the
// same kind of device ends the process. Copies have been made when they return. What fails is
// logged. Any thread may use it.
executorch::runtime::DeviceAllocator& allocator();

}  // namespace slipway::cuda
