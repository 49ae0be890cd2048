// What holds of each engine's table.
#pragma once

#include <cstdint>

#include "cuda/format/engine_generated.h"
#include "slipway/result.h"

namespace slipway::cuda {

// Bytes of an element of the type; 0 where engines don't have it.
uint64_t element_bytes(int8_t type);

// That each index leads somewhere and to earlier numbers, that what has to lie within the images
// and constants does, and that sizes are such as GPUs have. kInvalidFile says what is wrong.
Status check_engine(const table::EngineT& engine, uint64_t image_bytes);

}  // namespace slipway::cuda
