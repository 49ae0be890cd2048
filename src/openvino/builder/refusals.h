// Which nodes an error of OpenVINO is about.
#pragma once

#include <string_view>
#include <vector>

#include "engine_build/builder.h"
#include "onnx/graph.h"

namespace slipway::openvino {

// One for each ATen node that the message names by an ONNX node, a result of one, or an ONNX
// operator, in the graph's order. The reasons are OpenVINO's. Empty where it names none.
std::vector<engine_build::Refusal> find_refusals(std::string_view message,
                                                 const onnx::Graph& graph);

}  // namespace slipway::openvino
