// What files and those who run them know of TensorRT's engines.
#pragma once

#include "engine/description.h"

namespace slipway::tensorrt {

extern const engine::Description kDescription;

}  // namespace slipway::tensorrt
