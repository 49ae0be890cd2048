// Where each block of planned memory lies.
#pragma once

#include <cstdint>
#include <vector>

#include "pte/emitter/plan.h"
#include "slipway/result.h"

namespace slipway::pte {

// Sets every block's offset such that no two of one memory that are alive at once overlap, and
// returns the arenas, that of the host first, then the one that methods share, where blocks are in
// it: those have their place already. The others: the largest first, each into the tightest gap.
// That compares each block with all others, so past the kMostCompared largest, blocks share a part
// of their own in the order of time. Blocks that no instruction touches get offset 0. An error when
// a size does not fit in 63 bits.
inline constexpr size_t kMostCompared = 8192;
Result<std::vector<Arena>> plan_memory(std::vector<Block>& blocks);

}  // namespace slipway::pte
