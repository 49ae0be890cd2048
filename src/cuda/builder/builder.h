// Builds engines of generated kernels.
#pragma once

#include <memory>

#include "cuda/builder/options.h"
#include "engine_build/builder.h"

namespace slipway::cuda {

std::unique_ptr<engine_build::Builder> make_builder(const Options& options);

}  // namespace slipway::cuda
