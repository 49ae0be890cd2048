// What each node of a graph needs before it can be computed.
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ir/program.h"

namespace slipway::partition {

struct Dependencies {
  explicit Dependencies(const ir::Graph& graph);

  // In the graph's order; other members hold positions here.
  std::vector<ir::Node*> nodes;
  std::unordered_map<const ir::Node*, size_t> position;
  // Those that give a node its tensors and numbers, and those that read from data the symbols in
  // its arguments and sizes. Each once, in no order.
  std::vector<std::vector<size_t>> needs;
  // The nodes that bring symbols into being.
  std::unordered_set<const ir::Node*> symbol_makers;
};

}  // namespace slipway::partition
