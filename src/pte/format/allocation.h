// Where planned memory has a tensor.
#pragma once

#include <cstdint>

#include "pte/format/program_generated.h"

namespace slipway::pte {

// The schema has the offset in two halves.
inline uint64_t offset_of(const executorch_flatbuffer::AllocationDetails& allocation) {
  return uint64_t{allocation.memory_offset_high()} << 32 | uint64_t{allocation.memory_offset_low()};
}

}  // namespace slipway::pte
