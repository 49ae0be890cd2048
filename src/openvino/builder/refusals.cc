#include "openvino/builder/refusals.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <fmt/core.h>

namespace slipway::openvino {

namespace {

constexpr std::string_view kUnsupportedOperators =
    "does not support the following ONNX operations:";

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// A line that says what is wrong, rather than where in OpenVINO's sources that was noticed.
bool says_what(std::string_view line) {
  for (const std::string_view prefix : {"Exception from ", "Check '", "While validating ",
                                        "FrontEnd API failed", "Errors during ONNX translation"}) {
    if (line.starts_with(prefix)) return false;
  }
  return !line.empty();
}

// The first line from `start` on that says what is wrong.
std::optional<std::string> first_reason(std::string_view message, size_t start) {
  while (start < message.size()) {
    const size_t end = std::min(message.find('\n', start), message.size());
    const std::string_view line = trim(message.substr(start, end - start));
    if (says_what(line)) return std::string(line);
    start = end + 1;
  }
  return std::nullopt;
}

// Calls `visit` with each text between `open` and `close`, and with where it ends.
template <class Visit>
void for_each_between(std::string_view message, std::string_view open, char close, Visit visit) {
  for (size_t at = message.find(open); at != std::string_view::npos;
       at = message.find(open, at + open.size())) {
    const size_t start = at + open.size();
    const size_t end = message.find(close, start);
    if (end == std::string_view::npos) return;
    visit(message.substr(start, end - start), end + 1);
  }
}

// The operators of "OpenVINO does not support the following ONNX operations: Col2Im, Scan".
std::set<std::string, std::less<>> unsupported_operators(std::string_view message) {
  std::set<std::string, std::less<>> operators;
  const size_t at = message.find(kUnsupportedOperators);
  if (at == std::string_view::npos) return operators;
  size_t start = at + kUnsupportedOperators.size();
  const size_t line_end = std::min(message.find('\n', start), message.size());
  while (start < line_end) {
    const size_t end = std::min(message.find(',', start), line_end);
    operators.emplace(trim(message.substr(start, end - start)));
    start = end + 1;
  }
  return operators;
}

}  // namespace

std::vector<engine_build::Refusal> find_refusals(std::string_view message,
                                                 const onnx::Graph& graph) {
  // Where the message says what is wrong with a name in it.
  std::map<std::string, size_t, std::less<>> named;
  // <Node(Pad): pad_4/Pad>
  for_each_between(message, "<Node(", '>', [&](std::string_view text, size_t end) {
    const size_t colon = text.find("): ");
    if (colon != std::string_view::npos) named.emplace(text.substr(colon + 3), end);
  });
  for_each_between(message, "'", '\'',
                   [&](std::string_view text, size_t end) { named.emplace(text, end); });
  const auto operators = unsupported_operators(message);

  const auto reason_of = [&](const onnx::Node& node) -> std::optional<std::string> {
    if (operators.contains(node.op_type)) {
      return fmt::format("OpenVINO has no ONNX operator {}", node.op_type);
    }
    auto it = named.find(node.name);
    for (const std::string& output : node.outputs) {
      if (it == named.end()) it = named.find(output);
    }
    if (it == named.end()) return std::nullopt;
    return "OpenVINO: " +
           first_reason(message, std::min(message.find('\n', it->second), message.size()))
               .value_or(first_reason(message, 0).value_or(std::string(trim(message))));
  };
  std::vector<engine_build::Refusal> refusals;
  std::set<std::string> origins;
  for (const onnx::Node& node : graph.nodes) {
    if (node.origin.empty() || origins.contains(node.origin)) continue;
    if (auto reason = reason_of(node)) {
      origins.insert(node.origin);
      refusals.push_back({node.origin, std::move(*reason)});
    }
  }
  return refusals;
}

}  // namespace slipway::openvino
