#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "ir/queries.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::Graph;
using ir::Node;
using ir::Value;

void clean(Graph& graph) {
  const auto made = symbols_made(graph);
  std::unordered_set<const Value*> used;
  std::set<std::string> symbols;
  auto use = [&](const Argument& argument) {
    Graph::for_each_value(argument, [&used](const Value* value) { used.insert(value); });
    collect_symbols(argument, symbols);
  };
  for (const Argument& output : graph.outputs()) use(output);
  std::vector<Node*> dead;
  for (auto it = graph.nodes().rbegin(); it != graph.nodes().rend(); ++it) {
    Node* node = it->get();
    bool live = !is_pure(*node);
    for (const Value* output : node->outputs()) live = live || used.contains(output);
    if (auto own = made.find(node); own != made.end()) {
      for (const std::string& symbol : own->second) live = live || symbols.contains(symbol);
    }
    if (!live) {
      dead.push_back(node);
      continue;
    }
    for (Graph* inner : sub_graphs(*node)) clean(*inner);
    for (const Argument& argument : node->args()) use(argument);
    for (const Value* output : node->outputs()) collect_symbols(*output, symbols);
  }
  for (Node* node : dead) graph.erase(node);
}

}  // namespace

Status remove_dead_code(ir::Program& program) {
  clean(*program.graph);
  program.remove_unused_constants();
  return {};
}

}  // namespace slipway::passes
