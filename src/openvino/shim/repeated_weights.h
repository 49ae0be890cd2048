// Weights that are repeated: held once, and repeated where an engine runs.
#pragma once

#include <memory>

#include <openvino/core/model.hpp>

namespace slipway::openvino::shim {

// OpenVINO computes ahead of time whatever follows from constants, so that an engine would hold a
// constant as often as it is repeated. What it joins to an operator that repeats by itself is only
// marked; before anything else that makes far more of a constant than it is, the constant passes a
// choice that a run decides, always for it. A model without parameters stays as it is.
void keep_repeated_weights(const std::shared_ptr<ov::Model>& model);

}  // namespace slipway::openvino::shim
