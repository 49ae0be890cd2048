// What we keep from TensorRT, before its own parser and builder are asked.
#pragma once

#include <optional>
#include <string>

#include "ir/program.h"

namespace slipway::tensorrt {

// Why TensorRT would not compute the node's types as PyTorch does, or would fail late in the build.
std::optional<std::string> why_kept(const ir::Program& program, const ir::Node& node);

}  // namespace slipway::tensorrt
