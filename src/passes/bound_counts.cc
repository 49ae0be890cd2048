// Numbers of bins that depend on data.
#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include "ir/arguments.h"
#include "ir/op_builder.h"
#include "ir/queries.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace slipway::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::SymInt;
using ir::Value;

// The greatest number that elements of a narrow type have.
std::optional<int64_t> greatest(DType dtype) {
  if (dtype == DType::kUInt8) return 255;
  if (dtype == DType::kInt8) return 127;
  if (dtype == DType::kInt16) return 32767;
  return std::nullopt;
}

// How many of the first elements of its vector a node reads; nothing for other nodes.
std::optional<int64_t> elements_read(const Node& node) {
  const ir::Arguments arguments(node);
  const auto at = [&](size_t i, int64_t otherwise) {
    return node.is_none(i) ? std::optional(otherwise) : arguments.constant(i);
  };
  const bool selects = node.op() == "aten.select.int";
  if (!selects && node.op() != "aten.slice.Tensor") return std::nullopt;
  const auto first = at(2, 0);
  const auto last = selects ? first : arguments.constant(3);
  if (!first || !last || *first < 0 || *last < 0) return std::nullopt;
  return selects ? *first + 1 : *last;
}

// How many bins are read where nothing asks for how many there are.
std::optional<int64_t> bins_read(const Graph& graph, const Value* counts) {
  const std::string& symbol = counts->sizes()[0].symbol_name();
  int64_t most = 0;
  bool only_first = true;
  const auto look = [&](const ir::Argument& argument, const Node* reader) {
    std::set<std::string> symbols;
    ir::collect_symbols(argument, symbols);
    bool reads = false;
    Graph::for_each_value(argument, [&](const Value* value) { reads = reads || value == counts; });
    const auto read = reads && reader ? elements_read(*reader) : std::nullopt;
    if (symbols.contains(symbol) || (reads && !read)) only_first = false;
    most = std::max(most, read.value_or(0));
  };
  for (const auto& node : graph.nodes()) {
    for (const ir::Argument& argument : node->args()) look(argument, node.get());
    for (const Value* output : node->outputs()) {
      std::set<std::string> symbols;
      ir::collect_symbols(*output, symbols);
      if (output != counts && symbols.contains(symbol)) only_first = false;
    }
  }
  for (const ir::Argument& output : graph.outputs()) look(output, nullptr);
  return only_first ? std::optional(most) : std::nullopt;
}

void bound_bins(Graph& graph, Node& node, ir::SymbolRanges& ranges) {
  ir::Range& range = ranges[node.output()->sizes()[0].symbol_name()];
  const auto least = ir::Arguments(node).integer(2);
  const auto at_least = least ? least->bounds(ranges).max : std::nullopt;
  if (range.max || !at_least) return;
  auto largest = greatest(node.value(0)->dtype());
  if (!largest) {
    // One bin more holds all that is not read.
    largest = bins_read(graph, node.output());
    if (!largest) return;
    ir::OpBuilder build(graph, &node, &node);
    node.args()[0] = build.clamp(node.value(0), std::nullopt, SymInt(*largest));
  }
  range.max = std::max(*largest + 1, *at_least);
}

// As many boxes stay as there are, and not at least two, as PyTorch has it.
void bound_boxes(const Node& node, ir::SymbolRanges& ranges) {
  const Value* boxes = ir::Arguments(node).tensor(0);
  ir::Range& range = ranges[node.output()->sizes()[0].symbol_name()];
  range.min = 0;
  if (!range.max && boxes && boxes->rank() > 0) range.max = boxes->sizes()[0].bounds(ranges).max;
}

void bound(Graph& graph, ir::SymbolRanges& ranges) {
  for (const auto& node : graph.nodes()) {
    const bool counts = node->op() == "aten.bincount.default";
    if (!counts && node->op() != "torchvision.nms.default") continue;
    if (node->output()->rank() != 1 || !node->output()->sizes()[0].is_symbol()) continue;
    if (counts) {
      bound_bins(graph, *node, ranges);
    } else {
      bound_boxes(*node, ranges);
    }
  }
}

}  // namespace

Status bound_counts(ir::Program& program) {
  for_each_graph(*program.graph, [&](Graph& graph) { bound(graph, program.ranges); });
  return {};
}

}  // namespace slipway::passes
