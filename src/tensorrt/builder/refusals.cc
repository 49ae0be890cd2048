#include "tensorrt/builder/refusals.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

namespace slipway::tensorrt {

namespace {

// Refusals in the graph's order, one for each ATen node.
std::vector<build::Refusal> refuse(const std::map<int64_t, std::string>& reasons,
                                   const onnx::Graph& graph) {
  std::vector<build::Refusal> refusals;
  std::set<std::string> origins;
  for (const auto& [index, reason] : reasons) {
    if (index < 0 || index >= static_cast<int64_t>(graph.nodes.size())) continue;
    const onnx::Node& node = graph.nodes[static_cast<size_t>(index)];
    if (!origins.insert(node.origin).second) continue;
    refusals.push_back(
        {node.origin, fmt::format("TensorRT refuses its {}: {}", node.op_type, reason)});
  }
  return refusals;
}

int64_t index_of(const ParserError& error, const onnx::Graph& graph) {
  if (error.node >= 0) return error.node;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!error.node_name.empty() && graph.nodes[i].name == error.node_name) {
      return static_cast<int64_t>(i);
    }
  }
  return -1;
}

}  // namespace

std::vector<build::Refusal> refusals_of(const std::vector<Subgraph>& taken,
                                        const std::vector<ParserError>& errors,
                                        const onnx::Graph& graph) {
  std::map<int64_t, std::string> reasons;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    reasons.emplace(static_cast<int64_t>(i), "its parser does not take it");
  }
  for (const Subgraph& subgraph : taken) {
    for (const int64_t node : subgraph.nodes) reasons.erase(node);
  }
  for (const ParserError& error : errors) {
    auto reason = reasons.find(index_of(error, graph));
    if (reason != reasons.end()) reason->second = error.description;
  }
  return refuse(reasons, graph);
}

std::vector<build::Refusal> refusals_of(const std::vector<ParserError>& errors,
                                        const onnx::Graph& graph) {
  std::map<int64_t, std::string> reasons;
  for (const ParserError& error : errors) {
    reasons.emplace(index_of(error, graph), error.description);
  }
  return refuse(reasons, graph);
}

std::vector<build::Refusal> refusals_of(const std::string& message, const onnx::Graph& graph) {
  const onnx::Node* found = nullptr;
  for (const onnx::Node& node : graph.nodes) {
    if (message.find(node.name) == std::string::npos) continue;
    if (!found || node.name.size() > found->name.size()) found = &node;
  }
  if (!found) return {};
  return {{found->origin, fmt::format("TensorRT refuses its {}: {}", found->op_type, message)}};
}

}  // namespace slipway::tensorrt
