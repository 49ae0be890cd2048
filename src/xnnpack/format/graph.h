// The graph that ExecuTorch's delegate for XNNPACK is given, which trusts it: a header, tables of a
// flatbuffer, and constants. One that passes is well-formed, and no size in it leads outside of its
// tensors.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/description.h"
#include "slipway/result.h"

namespace slipway::xnnpack {

Result<std::vector<engine::BlobEnd>> check_graph(std::span<const std::byte> blob,
                                                 const engine::BlobSurroundings& surroundings);

}  // namespace slipway::xnnpack
