// What files and those who run them know of the stand-in's engines.
#pragma once

#include "engine/description.h"

namespace slipway::stand_in {

extern const engine::Description kDescription;

}  // namespace slipway::stand_in

// The same engine under another name, for programs of several engines.
namespace slipway::stand_in_twin {

extern const engine::Description kDescription;

}  // namespace slipway::stand_in_twin
