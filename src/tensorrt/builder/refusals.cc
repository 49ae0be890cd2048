#include "tensorrt/builder/refusals.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include <fmt/core.h>

namespace slipway::tensorrt {

namespace {

constexpr const char* kNoReason = "its parser does not take it";

// TensorRT's first message of several: others follow from it, or are about the lack of a driver.
std::string first_message(const std::string& text) {
  size_t start = 0;
  // Says again which node it is.
  if (text.starts_with("Invalid Node - ")) start = std::min(text.find('\n'), text.size() - 1) + 1;
  std::string line = text.substr(start, text.find('\n', start) - start);
  // "false": the assertion that failed says nothing.
  return line.find(' ') == std::string::npos ? kNoReason : line;
}

std::string describe(const onnx::Node& node, const std::string& reason) {
  return fmt::format("TensorRT refuses its ONNX node {} ({}): {}", node.name, node.op_type,
                     first_message(reason));
}

bool is_part_of_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
}

// Whether the text has the name, and not only as a part of a longer one.
bool names(const std::string& text, const std::string& name) {
  if (name.empty()) return false;
  for (size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    const size_t end = at + name.size();
    const bool starts = at == 0 || !is_part_of_name(text[at - 1]);
    // Sentences end with a dot.
    const bool ends = end == text.size() || !is_part_of_name(text[end]) ||
                      (text[end] == '.' && (end + 1 == text.size() || text[end + 1] == ' '));
    if (starts && ends) return true;
  }
  return false;
}

// Refusals in the graph's order, one for each ATen node.
std::vector<engine_build::Refusal> refuse(const std::map<int64_t, std::string>& reasons,
                                          const onnx::Graph& graph) {
  std::vector<engine_build::Refusal> refusals;
  std::set<std::string> origins;
  for (const auto& [index, reason] : reasons) {
    if (index < 0 || index >= static_cast<int64_t>(graph.nodes.size())) continue;
    const onnx::Node& node = graph.nodes[static_cast<size_t>(index)];
    if (!origins.insert(node.origin).second) continue;
    refusals.push_back({node.origin, describe(node, reason)});
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

std::vector<engine_build::Refusal> refusals_of(const std::vector<Subgraph>& taken,
                                               const std::vector<ParserError>& errors,
                                               const onnx::Graph& graph) {
  std::map<int64_t, std::string> reasons;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    reasons.emplace(static_cast<int64_t>(i), kNoReason);
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

std::vector<engine_build::Refusal> refusals_of(const std::vector<ParserError>& errors,
                                               const onnx::Graph& graph) {
  std::map<int64_t, std::string> reasons;
  for (const ParserError& error : errors) {
    reasons.emplace(index_of(error, graph), error.description);
  }
  return refuse(reasons, graph);
}

std::vector<engine_build::Refusal> refusals_of(const std::string& message,
                                               const onnx::Graph& graph) {
  for (const onnx::Node& node : graph.nodes) {
    if (names(message, node.name)) return {{node.origin, describe(node, message)}};
  }
  return {};
}

}  // namespace slipway::tensorrt
