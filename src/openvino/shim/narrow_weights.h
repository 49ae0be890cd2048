// Weights of 8 and 16 bits that are computed with in float32: held as they are.
#pragma once

#include <memory>

#include <openvino/core/model.hpp>

namespace slipway::openvino::shim {

// Marks what widens them, which the plugin would otherwise compute ahead of time, so that an engine
// would hold float32.
void keep_narrow_weights(const std::shared_ptr<ov::Model>& model);

}  // namespace slipway::openvino::shim
