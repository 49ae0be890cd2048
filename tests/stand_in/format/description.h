// What files and those who run them know of the stand-in's engines.
#pragma once

#include "engine/description.h"

namespace slipway::stand_in {

inline constexpr const char* kName = "stand_in";

extern const engine::Description kDescription;

}  // namespace slipway::stand_in
