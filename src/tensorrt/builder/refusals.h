// Which nodes TensorRT's errors are about. A reason names the ONNX node and holds TensorRT's first
// message.
#pragma once

#include <string>
#include <vector>

#include "engine_build/builder.h"
#include "onnx/graph.h"
#include "tensorrt/library/parser.h"

namespace slipway::tensorrt {

// The nodes that are in none of the subgraphs which the parser takes.
std::vector<engine_build::Refusal> refusals_of(const std::vector<Subgraph>& taken,
                                               const std::vector<ParserError>& errors,
                                               const onnx::Graph& graph);
// The nodes that the parser's errors are about.
std::vector<engine_build::Refusal> refusals_of(const std::vector<ParserError>& errors,
                                               const onnx::Graph& graph);
// The first node whose name is in a message of the build; empty where there is none.
std::vector<engine_build::Refusal> refusals_of(const std::string& message,
                                               const onnx::Graph& graph);

}  // namespace slipway::tensorrt
