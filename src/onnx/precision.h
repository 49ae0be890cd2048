// Lowered graphs in half precision.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "onnx/graph.h"
#include "slipway/result.h"

namespace slipway::onnx {

// What an engine is asked to compute in: the model's own types, or a half type in float32's place.
enum class Precision : uint8_t { kModel, kFloat16, kBFloat16 };
const char* precision_name(Precision precision);  // "model", "fp16", "bf16"
Result<Precision> parse_precision(const std::string& name);

// What is float32 becomes `half` (float16 or bfloat16), but for the nodes that float32_nodes.h
// lists; `keep` holds operators of ATen ("aten.linear", "aten.linear.default") and of ONNX that
// stay in float32 besides, whether the graph has them or not. The graph's inputs, outputs and
// states keep their names and types: a Cast stands where the precision changes, at most one for
// each value and type. Weights that are used in the half type are converted as their bytes are
// asked for, in chunks; one used in both types is there twice.
//
// The graph has opset 22 for bfloat16: the first one whose convolutions know it.
Result<Graph> convert_precision(Graph graph, DType half, const std::set<std::string>& keep);

}  // namespace slipway::onnx
