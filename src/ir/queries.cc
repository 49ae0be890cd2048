#include "ir/queries.h"

#include <utility>
#include <variant>

namespace slipway::ir {

namespace {

// Calls `use` with each integer expression in the argument, those of sub-graphs included.
template <class Use>
void for_each_expression(const Argument& argument, const Use& use) {
  if (const auto* expression = std::get_if<SymInt>(&argument)) {
    use(*expression);
  } else if (const auto* list = std::get_if<std::vector<SymInt>>(&argument)) {
    for (const SymInt& item : *list) use(item);
  } else if (const auto* lists = std::get_if<std::vector<std::vector<SymInt>>>(&argument)) {
    for (const auto& items : *lists) {
      for (const SymInt& item : items) use(item);
    }
  } else if (const auto* dictionary = std::get_if<Dictionary>(&argument)) {
    for (const DictionaryEntry& entry : dictionary->entries) for_each_expression(entry.value, use);
  } else if (const auto* graph = std::get_if<std::shared_ptr<Graph>>(&argument)) {
    for (const auto& node : (*graph)->nodes()) {
      for (const Argument& inner : node->args()) for_each_expression(inner, use);
    }
    for (const Argument& output : (*graph)->outputs()) for_each_expression(output, use);
  }
}

template <class Use>
void for_each_expression(const Value& value, const Use& use) {
  if (value.is_tensor()) {
    for (const SymInt& size : value.sizes()) use(size);
  } else if (value.kind() == ValueKind::kSymInt) {
    use(value.expression());
  }
}

void collect_scaled(const SymInt& expression, std::set<SymInt>& scaled) {
  for (const SymInt::Term& term : expression.terms()) {
    for (const SymInt::Factor& factor : term.factors) {
      if (factor.is_scale()) {
        scaled.insert(SymInt::scale(factor.arguments.at(0), factor.scale()));
      } else {
        for (const SymInt& argument : factor.arguments) collect_scaled(argument, scaled);
      }
    }
  }
}

}  // namespace

void collect_symbols(const Argument& argument, std::set<std::string>& symbols) {
  for_each_expression(argument, [&](const SymInt& expression) {
    for (auto& symbol : expression.symbols()) symbols.insert(std::move(symbol));
  });
}

void collect_symbols(const Value& value, std::set<std::string>& symbols) {
  for_each_expression(value, [&](const SymInt& expression) {
    for (auto& symbol : expression.symbols()) symbols.insert(std::move(symbol));
  });
}

bool makes_scaled_size(const Node& node) {
  std::set<SymInt> scaled;
  const auto collect = [&](const SymInt& expression) { collect_scaled(expression, scaled); };
  for (const Value* output : node.outputs()) for_each_expression(*output, collect);
  for (const Argument& argument : node.args()) for_each_expression(argument, collect);
  for (const Argument& argument : node.args()) {
    Graph::for_each_value(argument, [&](const Value* value) {
      if (!value->is_tensor()) return;
      for (const SymInt& size : value->sizes()) scaled.erase(size);
    });
  }
  return !scaled.empty();
}

bool is_used(const Graph& graph, const Value* value) {
  bool found = false;
  const auto look = [&](const Argument& argument) {
    Graph::for_each_value(argument, [&](const Value* other) { found = found || other == value; });
  };
  for (const auto& node : graph.nodes()) {
    if (found) return true;
    for (const Argument& argument : node->args()) look(argument);
  }
  for (const Argument& output : graph.outputs()) look(output);
  return found;
}

size_t count_nodes(const Graph& graph) {
  size_t count = graph.nodes().size();
  for (const auto& node : graph.nodes()) {
    for (const Argument& argument : node->args()) {
      Graph::for_each_graph(argument, [&](const auto& inner) { count += count_nodes(*inner); });
    }
  }
  return count;
}

std::unordered_map<const Node*, std::set<std::string>> symbols_made(const Graph& graph) {
  std::set<std::string> known;
  for (const Value* input : graph.inputs()) collect_symbols(*input, known);
  std::unordered_map<const Node*, std::set<std::string>> made;
  for (const auto& node : graph.nodes()) {
    std::set<std::string> symbols;
    for (const Value* output : node->outputs()) collect_symbols(*output, symbols);
    for (const std::string& symbol : symbols) {
      if (known.insert(symbol).second) made[node.get()].insert(symbol);
    }
  }
  return made;
}

std::set<std::string> mutated_targets(const Program& program) {
  std::set<std::string> targets;
  for (const Output& output : program.outputs) {
    if (output.kind == OutputKind::kBufferMutation) targets.insert(output.target);
  }
  return targets;
}

std::unordered_map<const Value*, const Input*> constant_inputs(const Program& program) {
  const std::set<std::string> mutated = mutated_targets(program);
  std::unordered_map<const Value*, const Input*> constants;
  for (const Input& input : program.inputs) {
    if (input.value && input.data && !mutated.contains(input.target)) {
      constants[input.value] = &input;
    }
  }
  return constants;
}

}  // namespace slipway::ir
