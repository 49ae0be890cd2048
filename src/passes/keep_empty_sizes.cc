// Sizes of concatenations without elements.
#include <iterator>

#include "ir/op_builder.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace slipway::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::SymInt;
using ir::Value;

// Whether a dimension other than the joined one may be 0.
bool may_lose_size(const Node& node, const ir::SymbolRanges& ranges) {
  const auto* dim = std::get_if<SymInt>(&node.arg(1));
  const auto joined = dim ? dim->constant() : std::nullopt;
  if (!joined) return false;
  const std::vector<SymInt>& sizes = node.output()->sizes();
  const auto rank = static_cast<int64_t>(sizes.size());
  for (int64_t d = 0; d < rank; ++d) {
    if (d == *joined || d == *joined + rank) continue;
    if (sizes[static_cast<size_t>(d)].bounds(ranges).min.value_or(0) < 1) return true;
  }
  return false;
}

void keep_sizes(Graph& graph, const ir::SymbolRanges& ranges) {
  for (auto it = graph.nodes().begin(); it != graph.nodes().end(); ++it) {
    Node* node = it->get();
    if (node->op() != "aten.cat.default" || !may_lose_size(*node, ranges)) continue;
    const auto next = std::next(it);
    ir::OpBuilder build(graph, next == graph.nodes().end() ? nullptr : next->get(), node);
    Value* joined = node->output();
    Value* sized = build.call("aten.view_copy.default", {joined, joined->sizes()}, joined->type());
    Replacements replacements;
    replacements.add(joined, sized);
    replacements.apply(graph);
    sized->producer()->args()[0] = joined;
  }
}

}  // namespace

Status keep_empty_sizes(ir::Program& program) {
  for_each_graph(*program.graph, [&](Graph& graph) { keep_sizes(graph, program.ranges); });
  return {};
}

}  // namespace slipway::passes
