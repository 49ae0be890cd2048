#include "openvino/builder/rewriter.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <memory>
#include <variant>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/piece_writer.h"
#include "ir/op_builder.h"

namespace slipway::openvino {

void Rewriter::add_as(std::vector<std::string> outputs, const std::string& op_type,
                      std::vector<std::string> inputs, Attributes attributes) {
  std::string name = outputs[0] + "/" + op_type;
  nodes_.push_back({op_type, std::move(name), std::move(inputs), std::move(outputs),
                    std::move(attributes), node_->origin, node_->target, node_->stack_trace});
}

std::string Rewriter::add(const std::string& op_type, std::vector<std::string> inputs,
                          Attributes attributes) {
  return add_many(op_type, std::move(inputs), std::move(attributes), 1)[0];
}

std::vector<std::string> Rewriter::add_many(const std::string& op_type,
                                            std::vector<std::string> inputs, Attributes attributes,
                                            size_t results) {
  std::vector<std::string> names;
  for (size_t i = 0; i < results; ++i) {
    names.push_back(fmt::format("{}/rule_{}", node_->outputs[0], count_++));
  }
  add_as(names, op_type, std::move(inputs), std::move(attributes));
  return names;
}

void Rewriter::give(const std::string& op_type, std::vector<std::string> inputs,
                    Attributes attributes, size_t result) {
  add_as({node_->outputs.at(result)}, op_type, std::move(inputs), std::move(attributes));
}

std::string Rewriter::ints(const std::vector<int64_t>& values) {
  std::string& name = constants_[values];
  if (!name.empty()) return name;
  name = fmt::format("rule_constant_{}", fmt::join(values, "_"));
  // A graph that another rule has rewritten has it already.
  if (sizes_.contains(name)) return name;
  std::vector<std::byte> bytes(values.size() * sizeof(int64_t));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  made_.push_back(
      {name, DType::kInt64, {static_cast<int64_t>(values.size())}, own_bytes(std::move(bytes))});
  return name;
}

std::optional<std::vector<ir::SymInt>> Rewriter::sizes(const std::string& value) const {
  const auto it = sizes_.find(value);
  if (it == sizes_.end()) return std::nullopt;
  return it->second;
}

std::optional<int64_t> Rewriter::rank(const std::string& value) const {
  const auto known = sizes(value);
  if (!known) return std::nullopt;
  return static_cast<int64_t>(known->size());
}

void Rewriter::learn(const onnx::Graph& graph) {
  for (const auto* types : {&graph.inputs, &graph.outputs, &graph.values}) {
    for (const onnx::ValueType& type : *types) sizes_[type.name] = type.sizes;
  }
  for (const onnx::Initializer& initializer : graph.initializers) {
    sizes_[initializer.name] = {initializer.sizes.begin(), initializer.sizes.end()};
  }
}

void Rewriter::learn_broadcast(const onnx::Node& node) {
  constexpr std::array kBroadcasts = {"Add", "Sub", "Mul",     "Div",  "Pow",           "Where",
                                      "Max", "Min", "Greater", "Less", "GreaterOrEqual"};
  const bool broadcasts =
      std::find(kBroadcasts.begin(), kBroadcasts.end(), node.op_type) != kBroadcasts.end();
  if (!broadcasts || sizes_.contains(node.outputs[0])) return;
  std::vector<ir::SymInt> all;
  for (const std::string& input : node.inputs) {
    const auto known = sizes(input);
    if (!known) return;
    const auto broadcast = ir::broadcast_sizes(all, *known);
    if (!broadcast.ok()) return;
    all = *broadcast;
  }
  sizes_[node.outputs[0]] = std::move(all);
}

void Rewriter::learn(const onnx::Node& node) {
  learn_broadcast(node);
  constexpr std::array kKeepSizes = {"Transpose", "Cast", "Clip", "QuantizeLinear",
                                     "DequantizeLinear"};
  const bool keeps =
      std::find(kKeepSizes.begin(), kKeepSizes.end(), node.op_type) != kKeepSizes.end();
  if (!keeps || sizes_.contains(node.outputs[0])) return;
  const auto known = sizes(node.inputs[0]);
  if (!known) return;
  if (node.op_type != "Transpose") {
    sizes_[node.outputs[0]] = *known;
    return;
  }
  for (const auto& [name, value] : node.attributes) {
    const auto* order = std::get_if<std::vector<int64_t>>(&value);
    if (name != "perm" || !order || order->size() != known->size()) continue;
    std::vector<ir::SymInt>& moved = sizes_[node.outputs[0]];
    for (const int64_t from : *order) moved.push_back((*known)[static_cast<size_t>(from)]);
  }
}

void Rewriter::visit(onnx::Graph& graph,
                     const std::function<bool(const onnx::Node&, Rewriter&)>& rule) {
  learn(graph);
  std::vector<onnx::Node> nodes = std::move(graph.nodes);
  std::vector<onnx::Node> rewritten;
  for (onnx::Node& node : nodes) {
    for (auto& [name, attribute] : node.attributes) {
      auto* branch = std::get_if<std::shared_ptr<onnx::Graph>>(&attribute);
      if (!branch) continue;
      // The graph may be another's, too.
      *branch = std::make_shared<onnx::Graph>(**branch);
      visit(**branch, rule);
    }
    learn(node);
    node_ = &node;
    nodes_.clear();
    if (rule(node, *this)) {
      std::move(nodes_.begin(), nodes_.end(), std::back_inserter(rewritten));
    } else {
      rewritten.push_back(std::move(node));
    }
  }
  graph.nodes = std::move(rewritten);
}

void rewrite_nodes(onnx::Graph& graph,
                   const std::function<bool(const onnx::Node&, Rewriter&)>& rule) {
  Rewriter rewriter;
  rewriter.visit(graph, rule);
  std::move(rewriter.made_.begin(), rewriter.made_.end(), std::back_inserter(graph.initializers));
}

}  // namespace slipway::openvino
