// Builds engines for XNNPACK as ExecuTorch's delegate takes them.
#pragma once

#include <memory>

#include "engine_build/builder.h"

namespace slipway::xnnpack {

std::unique_ptr<engine_build::Builder> make_builder(bool allow_reduced_precision = false);

}  // namespace slipway::xnnpack
