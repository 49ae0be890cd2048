// Replaces nodes of a lowered graph by others.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "onnx/graph.h"

namespace slipway::openvino {

// Collects what comes in place of one node. Not thread-safe.
class Rewriter {
 public:
  using Attributes = std::vector<std::pair<std::string, onnx::Attribute>>;

  // A node whose result gets a name of its own, which is given back.
  std::string add(const std::string& op_type, std::vector<std::string> inputs,
                  Attributes attributes = {});
  // The same for a node with so many results.
  std::vector<std::string> add_many(const std::string& op_type, std::vector<std::string> inputs,
                                    Attributes attributes, size_t results);
  // The last one: it gives the result of the node that is replaced, or this one of several.
  void give(const std::string& op_type, std::vector<std::string> inputs, Attributes attributes = {},
            size_t result = 0);
  // A constant.
  std::string ints(const std::vector<int64_t>& values);

  // As far as they are known.
  std::optional<std::vector<ir::SymInt>> sizes(const std::string& value) const;
  std::optional<int64_t> rank(const std::string& value) const;

 private:
  friend void rewrite_nodes(onnx::Graph& graph,
                            const std::function<bool(const onnx::Node&, Rewriter&)>& rule);
  void visit(onnx::Graph& graph, const std::function<bool(const onnx::Node&, Rewriter&)>& rule);
  void learn(const onnx::Graph& graph);
  // Of the result of a node that keeps or permutes its operand's sizes: constants are often behind
  // one.
  void learn(const onnx::Node& node);
  // Of the result of a node that broadcasts its operands.
  void learn_broadcast(const onnx::Node& node);
  void add_as(std::vector<std::string> outputs, const std::string& op_type,
              std::vector<std::string> inputs, Attributes attributes);

  std::map<std::string, std::vector<ir::SymInt>> sizes_;
  std::map<std::vector<int64_t>, std::string> constants_;
  std::vector<onnx::Initializer> made_;
  const onnx::Node* node_ = nullptr;
  std::vector<onnx::Node> nodes_;
  int count_ = 0;
};

// Asks about each node, in order, those of branches too: `rule` adds what comes in its place and
// gives true, or gives false for a node that stays.
void rewrite_nodes(onnx::Graph& graph,
                   const std::function<bool(const onnx::Node&, Rewriter&)>& rule);

}  // namespace slipway::openvino
