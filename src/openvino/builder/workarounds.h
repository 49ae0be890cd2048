// What OpenVINO gets wrong in models that it takes, and what is done so that engines are right all
// the same: one list, from which the documentation derives.
//
// Everything here is immutable or a pure function: any thread may call it.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "ir/program.h"
#include "onnx/graph.h"
#include "onnx/lowering.h"

namespace slipway::openvino {

using Rules = std::set<std::string>;

// The ways that are given make one rule.
struct Workaround {
  const char* name;
  const char* wrong;   // what OpenVINO 2026.4.1 does, with the smallest program
  const char* rule;    // what is done instead
  const char* report;  // upstream
  void (*lower)(onnx::LoweringOptions& options);
  void (*rewrite)(onnx::Graph& graph);
  bool (*leaves_outside)(const ir::Node& node);
};
std::span<const Workaround> workarounds();
std::vector<std::string> workaround_names();

// The list as a part of a Markdown page.
std::string document_workarounds();

// All of them but for those named.
void apply_to_lowering(onnx::LoweringOptions& options, const Rules& disabled);
onnx::Graph apply_to_graph(onnx::Graph graph, const Rules& disabled);
// ExecuTorch's own delegate tells OpenVINO 2025.4 no precision. On a processor with bfloat16 that
// one chooses it, and then fails to load attention that was joined to one operator for float32: so
// no attention is joined.
onnx::Graph for_openvino_2025(onnx::Graph graph);
std::optional<std::string> why_left_outside(const ir::Node& node, const Rules& disabled);

}  // namespace slipway::openvino
