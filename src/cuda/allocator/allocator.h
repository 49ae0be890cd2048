// The memory of CUDA devices as ExecuTorch knows it: for memory that a program plans on a device,
// and state that is kept there.
#pragma once

#include <executorch/runtime/core/device_allocator.h>

#include "slipway/export.h"

namespace slipway::cuda {

// The process's. It is registered with ExecuTorch by whoever needs that, as a second one for the
// same kind of device ends the process. Copies have been made when they return. What fails is
// logged. Any thread may use it.
executorch::runtime::DeviceAllocator& allocator();

}  // namespace slipway::cuda

// For programs of ExecuTorch's own runtime, in C++ and in Python (ctypes), before they load a file
// that plans memory of CUDA devices: registers the above unless an allocator is registered already.
// 0: it is that one; 1: another one is there, and stays. Not while another library registers one.
extern "C" SLIPWAY_API int slipway_cuda_register_device_allocator();
