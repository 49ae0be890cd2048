// The NVIDIA GPUs of this machine, as far as engines care.
#pragma once

#include <string>
#include <vector>

#include "slipway/result.h"
#include "tensorrt/library/version.h"

namespace slipway::tensorrt {

struct Gpu {
  std::string device;  // "cuda:0"
  std::string name;
  int capability = 0;  // 90 for compute capability 9.0
};
// "9.0" of 90.
std::string capability_text(int capability);

// "sm_90" of the GPU that TensorRT builds for where it is told of none; empty where there is none.
std::string own_target();

// What TensorRT-RTX builds for, as the option of targets has it: "sm_75, sm_80".
std::string rtx_targets();

// Asks NVIDIA's driver (cuda/driver), which is opened for it. kUnavailable where there is none.
Result<std::vector<Gpu>> find_gpus();

// "CUDA 13.2", the latest that NVIDIA's driver runs. Errors as above.
Result<std::string> driver_version();

// Whether engines of this family run on such a GPU: TensorRT-RTX serves few of them (its
// documentation of release 1.7), TensorRT all that its own version knows.
bool runs_on(Family family, int capability);

}  // namespace slipway::tensorrt
