#include "partition/dependencies.h"

#include <algorithm>
#include <set>
#include <string>

#include "ir/queries.h"

namespace slipway::partition {

Dependencies::Dependencies(const ir::Graph& graph) {
  std::unordered_map<std::string, size_t> makers;  // of symbols
  const auto made = ir::symbols_made(graph);
  for (const auto& node : graph.nodes()) {
    const size_t i = nodes.size();
    nodes.push_back(node.get());
    position.emplace(node.get(), i);

    std::set<std::string> symbols;
    std::vector<size_t>& needed = needs.emplace_back();
    for (const ir::Argument& argument : node->args()) {
      ir::Graph::for_each_value(argument, [&](const ir::Value* value) {
        if (value->producer()) needed.push_back(position.at(value->producer()));
      });
      ir::collect_symbols(argument, symbols);
    }
    for (const ir::Value* output : node->outputs()) ir::collect_symbols(*output, symbols);
    for (const std::string& symbol : symbols) {
      if (auto maker = makers.find(symbol); maker != makers.end()) needed.push_back(maker->second);
    }
    std::sort(needed.begin(), needed.end());
    needed.erase(std::unique(needed.begin(), needed.end()), needed.end());

    if (auto own = made.find(node.get()); own != made.end()) {
      symbol_makers.insert(node.get());
      for (const std::string& symbol : own->second) makers.emplace(symbol, i);
    }
  }
}

}  // namespace slipway::partition
