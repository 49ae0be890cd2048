// What several passes need to look at and change graphs.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ir/op_builder.h"
#include "ir/program.h"

namespace slipway::passes {

// "node add_1 (aten.add.Tensor), File "m.py", line 3, in forward", for messages.
std::string describe(const ir::Node& node);

// Calls `visit` for the graph and then for each sub-graph within it.
void for_each_graph(ir::Graph& graph, const std::function<void(ir::Graph&)>& visit);
// The sub-graphs among a node's arguments.
std::vector<ir::Graph*> sub_graphs(const ir::Node& node);

// Whether the node runs sub-graphs, and the emitter makes jumps of it: a choice or a loop.
bool is_control_flow(std::string_view op);
// A random operator gives other numbers at each run.
bool is_random(std::string_view op);
// Whether a node's numbers are drawn: by such an operator, or by dropout in training.
bool draws_random_numbers(const ir::Node& node);
// Whether the node may be removed when nothing uses its results, and made once instead of twice.
bool is_pure(const ir::Node& node);

// What stands for a node's output from now on, made in front of it, or null where it stays.
using Rewrite = std::function<ir::Value*(ir::OpBuilder& build, const ir::Node& node)>;
// Does so in the graph and in those in it, and removes the nodes. What builders refuse is an error.
Status rewrite_nodes(ir::Graph& graph, const Rewrite& rewrite);

// Values to be replaced: collects the pairs of a walk over a graph, then replaces all at once.
class Replacements {
 public:
  void add(const ir::Value* from, ir::Value* to) { to_[from] = to; }
  bool empty() const { return to_.empty(); }
  // What stands for the value now, through chains.
  ir::Value* resolve(ir::Value* value) const;
  void resolve(ir::Argument& argument) const;
  // In all nodes and outputs of the graph.
  void apply(ir::Graph& graph) const;

 private:
  std::unordered_map<const ir::Value*, ir::Value*> to_;
};

}  // namespace slipway::passes
