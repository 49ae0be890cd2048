#include "passes/rewrite.h"

#include <memory>
#include <string_view>
#include <variant>

#include <fmt/format.h>

namespace slipway::passes {

using ir::Argument;
using ir::Graph;
using ir::Node;
using ir::SymInt;
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

bool is_random(std::string_view op) {
  static const std::set<std::string_view> kNames = {
      "bernoulli",   "bernoulli_",       "cauchy_",   "exponential_",     "geometric_",
      "log_normal_", "multinomial",      "normal",    "normal_",          "poisson",
      "rand",        "rand_like",        "randint",   "randint_like",     "randn",
      "randn_like",  "random_",          "randperm",  "rrelu_with_noise", "uniform",
      "uniform_",    "exponential",      "geometric", "random",           "cauchy",
      "log_normal",  "normal_functional"};
  if (!op.starts_with("aten.")) return false;
  op.remove_prefix(5);
  return kNames.contains(op.substr(0, op.find('.')));
}

bool is_pure(const Node& node) {
  return !is_random(node.op()) && node.op().find("_assert") == std::string::npos;
}

void collect_symbols(const Argument& argument, std::set<std::string>& symbols) {
  auto add = [&symbols](const SymInt& expression) {
    for (auto& symbol : expression.symbols()) symbols.insert(std::move(symbol));
  };
  if (const auto* expression = std::get_if<SymInt>(&argument)) {
    add(*expression);
  } else if (const auto* list = std::get_if<std::vector<SymInt>>(&argument)) {
    for (const SymInt& item : *list) add(item);
  } else if (const auto* lists = std::get_if<std::vector<std::vector<SymInt>>>(&argument)) {
    for (const auto& items : *lists) {
      for (const SymInt& item : items) add(item);
    }
  } else if (const auto* dictionary = std::get_if<ir::Dictionary>(&argument)) {
    for (const ir::DictionaryEntry& entry : dictionary->entries) {
      collect_symbols(entry.value, symbols);
    }
  } else if (const auto* graph = std::get_if<std::shared_ptr<Graph>>(&argument)) {
    for (const auto& node : (*graph)->nodes()) {
      for (const Argument& inner : node->args()) collect_symbols(inner, symbols);
    }
    for (const Argument& output : (*graph)->outputs()) collect_symbols(output, symbols);
  }
}

void collect_symbols(const Value& value, std::set<std::string>& symbols) {
  if (value.is_tensor()) {
    for (const SymInt& size : value.sizes()) {
      for (auto& symbol : size.symbols()) symbols.insert(std::move(symbol));
    }
  } else if (value.kind() == ir::ValueKind::kSymInt) {
    for (auto& symbol : value.expression().symbols()) symbols.insert(std::move(symbol));
  }
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

std::set<std::string> mutated_targets(const ir::Program& program) {
  std::set<std::string> targets;
  for (const ir::Output& output : program.outputs) {
    if (output.kind == ir::OutputKind::kBufferMutation) targets.insert(output.target);
  }
  return targets;
}

std::unordered_map<const Value*, const ir::Input*> constant_inputs(const ir::Program& program) {
  const std::set<std::string> mutated = mutated_targets(program);
  std::unordered_map<const Value*, const ir::Input*> constants;
  for (const ir::Input& input : program.inputs) {
    if (input.value && input.data && !mutated.contains(input.target)) {
      constants[input.value] = &input;
    }
  }
  return constants;
}

}  // namespace slipway::passes
