// The code of an engine's kernels, for each target.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cuda/builder/options.h"
#include "cuda/format/engine_generated.h"
#include "slipway/result.h"

namespace slipway::cuda {

// Of what compiles. An error where it is not on this machine, with what brings it.
Result<std::string> compiler_version(const Options& options);

// An image for each target, whose names go into the table.
Result<std::vector<std::string>> make_images(const Options& options, const std::string& source,
                                             table::EngineT& table);

// For tests: the source is the only image, named as one that every device takes, and nothing
// compiles it. A driver that runs C++ (tests/cuda) takes it so.
void set_source_as_image(bool value);

}  // namespace slipway::cuda
