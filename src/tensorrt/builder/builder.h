// Building engines with TensorRT.
#pragma once

#include <memory>
#include <string>

#include "build/builder.h"
#include "slipway/tensorrt_options.h"

namespace slipway::tensorrt {

// For one target: "sm_80,sm_86", or "" for what the library builds for by itself. Numbers and names
// in `options` are checked when the library is first asked for: by fingerprint().
std::unique_ptr<build::Builder> make_builder(const TensorRtOptions& options,
                                             const std::string& target);

}  // namespace slipway::tensorrt
