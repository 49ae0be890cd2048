// What is planned in the memory of CUDA devices: what engines alone use which take it there.
#pragma once

#include <cstddef>

#include "pte/emitter/plan.h"

namespace slipway::pte {

// Moves blocks that delegates of one device alone use (Delegate::device) to its memory. Inputs,
// outputs and what a kernel touches stay the host's.
void place_on_devices(Plan& plan);

// Has the instructions from `begin` on run before all others. They touch none of the blocks that
// live for a time.
void bring_to_front(Plan& plan, size_t begin);

}  // namespace slipway::pte
