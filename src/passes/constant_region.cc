#include "passes/constant_region.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/try.h"
#include "ir/queries.h"
#include "passes/rewrite.h"
#include "passes/view_step.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::ConstantData;
using ir::Graph;
using ir::Node;
using ir::SymInt;
using ir::Value;

// What has to run to compute the values, in the graph's order.
std::vector<const Node*> nodes_behind(const Graph& graph, const std::vector<Value*>& values) {
  std::unordered_set<const Node*> found;
  std::vector<const Node*> left;
  left.reserve(values.size());
  for (const Value* value : values) left.push_back(value->producer());
  while (!left.empty()) {
    const Node* node = left.back();
    left.pop_back();
    if (!found.insert(node).second) continue;
    for (const Argument& argument : node->args()) {
      Graph::for_each_value(argument, [&](const Value* value) {
        if (value->producer()) left.push_back(value->producer());
      });
    }
  }
  std::vector<const Node*> nodes;
  for (const auto& node : graph.nodes()) {
    if (found.contains(node.get())) nodes.push_back(node.get());
  }
  return nodes;
}

// A program that gives the values, an output each.
ir::Program make_program(const ir::Program& program, const std::vector<Value*>& values) {
  ir::Program result;
  result.source = program.source;
  result.torch_version = program.torch_version;
  result.dialect = program.dialect;
  const auto constants = constant_inputs(program);
  std::unordered_map<const Value*, Value*> copies;
  auto copy_argument = [&](Argument argument) {
    Graph::for_each_value(argument, [&](Value*& value) {
      auto [copy, is_new] = copies.try_emplace(value, nullptr);
      if (is_new) {
        const ir::Input& input = *constants.at(value);
        copy->second = result.add_constant(input.name, *input.data);
      }
      value = copy->second;
    });
    return argument;
  };
  for (const Node* node : nodes_behind(*program.graph, values)) {
    std::vector<Argument> args;
    for (const Argument& argument : node->args()) args.push_back(copy_argument(argument));
    Graph::NodeOptions options;
    options.origin = node;
    options.name = node->name();
    Node* copy = result.graph->add_node(node->op(), std::move(args), options);
    for (const Value* output : node->outputs()) {
      copies[output] = output->kind() == ir::ValueKind::kTensor
                           ? result.graph->add_output(copy, output->type(), output->name())
                           : result.graph->add_output(copy, output->kind(), output->expression(),
                                                      output->name());
    }
  }
  result.output_tree.kind = Tree::Kind::kTuple;
  result.input_tree.kind = Tree::Kind::kTuple;
  result.input_tree.children.resize(2);
  result.input_tree.children[0].kind = Tree::Kind::kTuple;
  result.input_tree.children[1].kind = Tree::Kind::kDict;
  for (const Value* value : values) {
    result.graph->outputs().emplace_back(copies.at(value));
    result.outputs.emplace_back();
    result.output_tree.children.emplace_back();
  }
  return result;
}

// What a folded view may take in the file, if it takes more than what it sees.
constexpr size_t kSmallView = size_t{1} << 20;

}  // namespace

std::optional<size_t> static_nbytes(const Value* value) {
  if (!value->is_tensor()) return std::nullopt;
  std::vector<int64_t> sizes;
  for (const SymInt& size : value->sizes()) {
    auto constant = size.constant();
    if (!constant) return std::nullopt;
    sizes.push_back(*constant);
  }
  auto bytes = contiguous_nbytes(value->dtype(), sizes);
  return bytes.ok() ? std::optional<size_t>(*bytes) : std::nullopt;
}

bool has_value(const Node& node) {
  bool found = false;
  for (const Argument& argument : node.args()) {
    Graph::for_each_value(argument, [&found](const Value*) { found = true; });
  }
  return found;
}

Status compute_ahead(ir::Program& program, const std::vector<Value*>& values,
                     const Evaluator& evaluate) {
  const ir::Program computed = make_program(program, values);
  SLIPWAY_ASSIGN_OR_RETURN(std::vector<ConstantData> results, evaluate(computed));
  if (results.size() != values.size()) {
    return internal_error("{} constants were to be computed, and {} came back", values.size(),
                          results.size());
  }
  Replacements replacements;
  for (size_t i = 0; i < results.size(); ++i) {
    Value* value = values[i];
    ConstantData& data = results[i];
    const std::vector<SymInt> sizes(data.sizes.begin(), data.sizes.end());
    if (data.dtype != value->dtype() || sizes != value->sizes()) {
      return internal_error("constant {} was to be {}, and {} was computed", value->name(),
                            ir::print(value->type()), format_type(data.dtype, data.sizes));
    }
    replacements.add(value, program.add_constant(value->name(), std::move(data)));
  }
  replacements.apply(*program.graph);
  return {};
}

void fold_views(ir::Program& program,
                const std::function<bool(const Node&, const ConstantData&)>& folds) {
  auto constants = constant_inputs(program);
  std::unordered_map<const Value*, ConstantData> folded;
  std::vector<std::pair<Value*, std::string>> order;
  for (const auto& node : program.graph->nodes()) {
    for (size_t i = 0; i < node->outputs().size(); ++i) {
      const auto step = view_step(*node, i);
      if (!step) break;
      const Value* input = node->value(0);
      const ConstantData* data = nullptr;
      if (auto constant = constants.find(input); constant != constants.end()) {
        data = &*constant->second->data;
      } else if (auto earlier = folded.find(input); earlier != folded.end()) {
        data = &earlier->second;
      }
      if (!data || !folds(*node, *data)) break;
      auto result = apply(*step, *data, node->output(i)->type());
      if (!result || result->nbytes() > std::max(data->nbytes(), kSmallView)) continue;
      const auto source = constants.find(input);
      folded.emplace(node->output(i), std::move(*result));
      order.emplace_back(node->output(i), source != constants.end() ? source->second->name
                                                                    : node->output(i)->name());
    }
  }
  if (order.empty()) return;
  Replacements replacements;
  for (auto& [value, name] : order) {
    replacements.add(value, program.add_constant(name, std::move(folded.at(value))));
  }
  replacements.apply(*program.graph);
}

}  // namespace slipway::passes
