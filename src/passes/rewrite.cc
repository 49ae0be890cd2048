#include "passes/rewrite.h"

#include <memory>
#include <string_view>
#include <variant>

#include <fmt/core.h>

#include "base/try.h"
#include "ir/arguments.h"
#include "ir/scan.h"
#include "passes/view_step.h"
#include "schema/traits.h"

namespace slipway::passes {

using ir::Argument;
using ir::Graph;
using ir::Node;
using ir::Value;

std::string describe(const Node& node) {
  std::string text =
      fmt::format("node {} ({})", node.origin().empty() ? node.name() : node.origin(), node.op());
  if (!node.stack_trace().empty()) text += ", " + node.stack_trace();
  return text;
}

std::vector<Graph*> sub_graphs(const Node& node) {
  std::vector<Graph*> graphs;
  for (const Argument& argument : node.args()) {
    Graph::for_each_graph(argument, [&graphs](const std::shared_ptr<Graph>& graph) {
      graphs.push_back(graph.get());
    });
  }
  return graphs;
}

void for_each_graph(Graph& graph, const std::function<void(Graph&)>& visit) {
  visit(graph);
  for (const auto& node : graph.nodes()) {
    for (Graph* inner : sub_graphs(*node)) for_each_graph(*inner, visit);
  }
}

bool is_control_flow(std::string_view op) {
  return op == "higher_order.cond" || op == "higher_order.while_loop" || op == ir::kScan;
}

bool is_random(std::string_view op) { return schema::trait_of(op) == schema::Trait::kRandom; }

bool draws_random_numbers(const Node& node) {
  if (node.op() == "aten.native_dropout.default") return ir::Arguments(node).flag(2).value_or(true);
  return is_random(node.op()) || (is_dropout(node.op()) && !is_inactive_dropout(node));
}

namespace {

// Whether it could write to its arguments, or elsewhere, for all that is known of it.
bool is_unknown(std::string_view op) {
  // Their operators write nothing: Python's on numbers, marks of regions, and what quantizes.
  static const std::set<std::string_view> kHarmless = {
      "_operator", "builtins", "executorch_prim",      "higher_order",
      "math",      "profiler", "quantized_decomposed", "slipway",
      "torch",     "torchao",  "torchvision"};
  const std::string_view library = op.substr(0, op.find('.'));
  return library == "aten" ? !schema::find_operator(op)
                           : !kHarmless.contains(library) || op == "higher_order.call_torchbind";
}

}  // namespace

bool is_pure(const Node& node) {
  const schema::Trait trait = schema::trait_of(node.op());
  return trait != schema::Trait::kRandom && trait != schema::Trait::kAssertion &&
         !is_unknown(node.op());
}

Value* Replacements::resolve(Value* value) const {
  for (auto it = to_.find(value); it != to_.end(); it = to_.find(value)) value = it->second;
  return value;
}

void Replacements::resolve(Argument& argument) const {
  Graph::for_each_value(argument, [this](Value*& value) { value = resolve(value); });
}

void Replacements::apply(Graph& graph) const {
  if (empty()) return;
  for (const auto& node : graph.nodes()) {
    for (Argument& argument : node->args()) resolve(argument);
  }
  for (Argument& output : graph.outputs()) resolve(output);
}

Status rewrite_nodes(Graph& graph, const Rewrite& rewrite) {
  Replacements replacements;
  std::vector<Node*> replaced;
  for (const auto& each : graph.nodes()) {
    Node* node = each.get();
    for (Graph* inner : sub_graphs(*node)) {
      SLIPWAY_RETURN_IF_ERROR(rewrite_nodes(*inner, rewrite));
    }
    ir::OpBuilder build(graph, node, node);
    Value* made = rewrite(build, *node);
    if (!build.status().ok()) return build.status();
    if (made == nullptr) continue;
    replacements.add(node->output(), made);
    replaced.push_back(node);
  }
  replacements.apply(graph);
  for (auto it = replaced.rbegin(); it != replaced.rend(); ++it) graph.erase(*it);
  return {};
}

}  // namespace slipway::passes
