// PyTorch runs a functional program with strides, and with memory that views share.
#include <algorithm>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <variant>
#include <vector>

#include "ir/op_builder.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/view_step.h"
#include "schema/operator_name.h"
#include "schema/schema.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::Graph;
using ir::Node;
using ir::Value;
using Kind = ViewStep::Kind;

// Those that need an input whose elements lie close together; reshape copies where they don't.
constexpr std::string_view kViews[] = {
    "aten.view.default",         "aten.view_copy.default",      "aten.view_as.default",
    "aten._unsafe_view.default", "aten._reshape_alias.default", "aten._reshape_alias_copy.default"};
// Those that reinterpret memory, and fail where it does not lie as they expect.
constexpr std::string_view kCasts[] = {"aten.view.dtype", "aten.view_copy.dtype",
                                       "aten.view_as_complex.default",
                                       "aten.view_as_complex_copy.default"};

bool is_among(const std::string& op, std::span<const std::string_view> ops) {
  return std::find(ops.begin(), ops.end(), op) != ops.end();
}

// Calls of engines, and operators of others: what they give may be meant to lie where it does.
bool is_unknown(const Node& node) { return schema::find_operator(node.op()) == nullptr; }

// Whether a result may lie in the memory of what the node is given.
bool may_share_memory(const Node& node) {
  const std::string& op = node.op();
  if (op == "aten.clone.default" || schema::without_overload(op).ends_with("_copy")) return false;
  if (view_step(node, 0)) return true;
  const schema::Schema* schema = schema::find_operator(op);
  return schema == nullptr ||
         std::any_of(schema->returns.begin(), schema->returns.end(),
                     [](const schema::Type& type) { return !type.alias.empty(); });
}

// The inputs of the graph in whose memory the value may lie.
std::set<const Value*> inputs_behind(const Value* value, const EngineMemory& memory_of) {
  std::set<const Value*> inputs;
  std::unordered_set<const Value*> seen;
  std::vector<const Value*> next = {value};
  while (!next.empty()) {
    const Value* each = next.back();
    next.pop_back();
    if (!each->is_tensor() || !seen.insert(each).second) continue;
    if (each->producer() == nullptr) {
      inputs.insert(each);
    } else if (each->producer()->op() == ir::kCallEngine) {
      if (const Value* given = memory_of(*each)) next.push_back(given);
    } else if (may_share_memory(*each->producer())) {
      for (const Argument& argument : each->producer()->args()) {
        Graph::for_each_value(argument, [&](const Value* given) { next.push_back(given); });
      }
    }
  }
  return inputs;
}

// As soon as the value is there: PyTorch's unflatten writes to an entry as soon as it has what it
// becomes.
Value* copy(Graph& graph, Value* value) {
  auto place = graph.nodes().begin();
  if (value->producer() != nullptr) {
    while (place->get() != value->producer()) ++place;
    ++place;
  }
  Node* const before = place == graph.nodes().end() ? nullptr : place->get();
  ir::OpBuilder build(graph, before, value->producer());
  return build.call("aten.clone.default", {value, ir::None()}, value->type());
}

void mind_strides(Graph& graph) {
  Replacements replacements;
  std::vector<Node*> removed;
  for (auto it = graph.nodes().begin(); it != graph.nodes().end(); ++it) {
    Node* node = it->get();
    ir::OpBuilder build(graph, node, node);
    if (is_among(node->op(), kViews)) {
      replacements.add(node->output(),
                       build.call("aten.reshape.default", {node->value(0), node->output()->sizes()},
                                  node->output()->type()));
      removed.push_back(node);
    } else if (is_among(node->op(), kCasts)) {
      Value* const given = node->value(0);
      node->args()[0] =
          build.call("aten.contiguous.default", {given, ir::MemoryFormat{}}, given->type());
    } else if (const auto step = view_step(*node, 0); step && step->kind == Kind::kAsStrided) {
      // It looks at the storage, which is to begin with the tensor and hold nothing else.
      Value* const given = node->value(0);
      node->args()[0] =
          build.call("aten.clone.default", {given, ir::MemoryFormat{}}, given->type());
    }
  }
  replacements.apply(graph);
  for (auto it = removed.rbegin(); it != removed.rend(); ++it) graph.erase(*it);
}

// The values of the entries that the program changes at its end.
std::set<const Value*> changed_inputs(const ir::Program& program) {
  std::set<std::string> buffers;
  std::set<std::string> user_inputs;
  for (const ir::Output& output : program.outputs) {
    if (output.kind == ir::OutputKind::kBufferMutation) buffers.insert(output.target);
    if (output.kind == ir::OutputKind::kUserInputMutation) user_inputs.insert(output.target);
  }
  std::set<const Value*> changed;
  for (const ir::Input& input : program.inputs) {
    const bool is_user_input = input.kind == ir::InputKind::kUserInput;
    if (is_user_input ? user_inputs.contains(input.name) : buffers.contains(input.target)) {
      changed.insert(input.value);
    }
  }
  return changed;
}

// What is given out, and would be another after the program has written to its entries.
void mind_outputs(Graph& graph, const EngineMemory& memory_of,
                  const std::function<bool(const Value*)>& changes,
                  const std::function<bool(size_t, const Value*)>& is_kept) {
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    Argument& output = graph.outputs()[i];
    auto* const value = std::get_if<Value*>(&output);
    if (value == nullptr || *value == nullptr || is_kept(i, *value)) continue;
    const std::set<const Value*> behind = inputs_behind(*value, memory_of);
    if (std::any_of(behind.begin(), behind.end(), changes)) output = copy(graph, *value);
  }
}

}  // namespace

Status for_pytorch(ir::Program& program, const EngineMemory& memory_of) {
  for_each_graph(*program.graph, mind_strides);
  const std::set<const Value*> changed = changed_inputs(program);
  for_each_graph(*program.graph, [&](Graph& graph) {
    // A branch may not give out what it is given.
    const bool is_branch = &graph != program.graph.get();
    // What an engine gives as the new value of an entry may be meant to lie in that one's memory.
    const auto is_kept = [&](size_t output, const Value* value) {
      const auto kind = is_branch ? ir::OutputKind::kUserOutput : program.outputs[output].kind;
      return (kind == ir::OutputKind::kBufferMutation ||
              kind == ir::OutputKind::kUserInputMutation) &&
             value->producer() != nullptr && is_unknown(*value->producer());
    };
    mind_outputs(
        graph, memory_of, [&](const Value* input) { return is_branch || changed.contains(input); },
        is_kept);
  });
  return {};
}

}  // namespace slipway::passes
