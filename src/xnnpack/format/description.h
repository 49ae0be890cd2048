// What files and those who run them know of XNNPACK's delegate.
#pragma once

#include "engine/description.h"

namespace slipway::xnnpack {

extern const engine::Description kDescription;

}  // namespace slipway::xnnpack
