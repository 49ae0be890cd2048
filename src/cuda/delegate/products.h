// Products of matrices that a library computes.
#pragma once

#include <cstdint>
#include <vector>

#include "cuda/format/engine_generated.h"
#include "slipway/result.h"

namespace slipway::cuda {

// That its matrices lie within their buffers, as the numbers of a call are.
Status check_product(const table::EngineT& engine, const table::ProductT& product,
                     const std::vector<int64_t>& numbers);

}  // namespace slipway::cuda
