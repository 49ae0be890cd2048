// Which of an engine's images a device takes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cuda/driver/module.h"
#include "cuda/format/blob.h"
#include "slipway/result.h"

namespace slipway::cuda {

// Indices of the images that a device of this capability can take, the best first: machine code for
// it, then that for earlier ones of the same kind, then PTX, of each the latest first.
std::vector<size_t> images_for(const table::EngineT& engine, int capability);

struct LoadedImage {
  Module module;
  std::string target;
  bool overlaps = false;  // whether its kernels wait for earlier ones themselves
};
// The best one that loads. kUnsupported where none is for the device: it says what the engine has,
// what is here, and what to do. While the device is current.
Result<LoadedImage> load_image(const DevicePointer& device, const Blob& blob);

}  // namespace slipway::cuda
