// Building engines with TensorRT.
#pragma once

#include <memory>
#include <string>

#include "engine_build/builder.h"
#include "tensorrt/builder/options.h"

namespace slipway::tensorrt {

// For one target: "sm_80,sm_86", or "" for what the library builds for by itself. Opens the library
// that `options` name; fingerprint() says what is wrong with it, or with the options. Reduced
// precision is TF32: products of float32 matrices in 19 bits.
std::unique_ptr<engine_build::Builder> make_builder(
    const Options& options, const std::string& target,
    const engine_build::BuildOptions& build_options = {});

}  // namespace slipway::tensorrt
