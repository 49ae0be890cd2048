// A choice among engines by time, for people.
#pragma once

#include <string>

#include "engine/tuning.h"

namespace slipway::inspection {

// A table of the cuts that were tried, the one that was taken first.
std::string tuning_text(const engine::Tuning& tuning);

}  // namespace slipway::inspection
