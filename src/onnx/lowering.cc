#include "onnx/lowering.h"

#include <algorithm>
#include <set>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/try.h"
#include "ir/queries.h"
#include "onnx/context.h"

namespace slipway::onnx {

namespace {

void mark_used(Context& context, const ir::Argument& argument, const ir::Node* reader) {
  ir::Graph::for_each_value(argument, [&](ir::Value* value) { context.mark_used(value, reader); });
}

Status lower_nodes(Context& context, const std::vector<const ir::Node*>& nodes) {
  for (const ir::Node* node : nodes) {
    for (const ir::Argument& argument : node->args()) mark_used(context, argument, node);
  }
  for (const ir::Node* node : nodes) context.lower(*node);
  if (context.failures().empty()) return {};
  return unsupported(
      "{} node(s) can't be written in ONNX; change the model there, or compile to .pte where "
      "ExecuTorch's kernels have the operator (`slipway operators` lists them):\n  {}",
      context.failures().size(), fmt::join(context.failures(), "\n  "));
}

}  // namespace

Result<Graph> lower(const ir::Program& program, const LoweringOptions& options) {
  Context context(program, options);
  std::set<std::string> mutated;
  for (const ir::Output& output : program.outputs) {
    if (output.kind == ir::OutputKind::kBufferMutation) mutated.insert(output.target);
  }
  for (const ir::Input& input : program.inputs) {
    if (input.kind == ir::InputKind::kUserInput && input.value) {
      context.add_input(input.value, input.name);
    }
  }
  std::vector<StateAlias> states;
  for (const ir::Input& input : program.inputs) {
    if (!input.value || !input.data || !mutated.contains(input.target)) continue;
    context.add_input(input.value, input.name);
    StateAlias state;
    state.input = context.find(input.value).name;
    state.target = input.target;
    state.initial = {state.input, input.data->dtype, input.data->sizes, input.data->source()};
    states.push_back(std::move(state));
  }

  const ir::Graph& graph = *program.graph;
  for (const ir::Argument& output : graph.outputs()) mark_used(context, output, nullptr);
  std::vector<const ir::Node*> nodes;
  for (const auto& node : graph.nodes()) nodes.push_back(node.get());
  SLIPWAY_RETURN_IF_ERROR(lower_nodes(context, nodes));
  // What nodes read is among their failures.
  for (const ir::Value* input : graph.inputs()) {
    if (!input->is_tensor() || onnx_type(input->dtype()) != 0) continue;
    return unsupported("the input '{}' is {}, and ONNX has no such tensors: leave it out",
                       input->name(), dtype_name(input->dtype()));
  }

  // User outputs first, then the state.
  std::vector<std::pair<std::string, std::string>> state_outputs;  // target, output
  for (const bool user : {true, false}) {
    for (size_t i = 0; i < graph.outputs().size(); ++i) {
      const ir::Output& output = program.outputs[i];
      if ((output.kind == ir::OutputKind::kUserOutput) != user) continue;
      const ir::Argument& argument = graph.outputs()[i];
      if (const auto* value = std::get_if<ir::Value*>(&argument); value && *value) {
        const Ref ref = context.find(*value);
        const bool is_tensor = (*value)->is_tensor();
        const std::string name = user ? (*value)->name() : fmt::format("{}_after", output.target);
        context.add_output(ref, name, is_tensor ? (*value)->dtype() : ref.dtype,
                           is_tensor ? (*value)->sizes() : Sizes{});
        if (!user) state_outputs.emplace_back(output.target, context.last_output());
      } else if (const auto* size = std::get_if<ir::SymInt>(&argument);
                 size && !size->is_constant()) {
        context.add_output(context.scalar_length(*size), fmt::format("size_{}", i), DType::kInt64,
                           {});
      }
    }
  }
  Graph result = context.take_graph();
  for (const auto& pair : state_outputs) {
    const std::string& target = pair.first;
    const std::string& output = pair.second;
    auto state = std::find_if(states.begin(), states.end(),
                              [&](const StateAlias& item) { return item.target == target; });
    if (state != states.end()) {
      state->output = output;
    } else {
      states.push_back({target, output, target, {}});
    }
  }
  result.states = std::move(states);
  return result;
}

Result<Graph> lower(const ir::Program& program, const Part& part, const LoweringOptions& options) {
  Context context(program, options);
  for (const ir::Value* value : part.inputs) context.add_input(value, value->name());
  for (const ir::Value* value : part.outputs) context.mark_used(value, nullptr);
  SLIPWAY_RETURN_IF_ERROR(lower_nodes(context, part.nodes));
  for (const ir::Value* value : part.outputs) {
    const Ref ref = context.find(value);
    context.add_output(ref, value->name(), value->is_tensor() ? value->dtype() : ref.dtype,
                       value->is_tensor() ? value->sizes() : Sizes{});
  }
  return context.take_graph();
}

std::optional<std::string> why_unsupported(const ir::Program& program, const ir::Node& node,
                                           const LoweringOptions& options) {
  Context context(program, options);
  std::set<const ir::Value*> inputs;
  for (const ir::Argument& argument : node.args()) {
    mark_used(context, argument, &node);
    ir::Graph::for_each_value(argument, [&](ir::Value* value) {
      const ir::Input* constant = program.input_of(value);
      if (constant && constant->data) return;
      if (inputs.insert(value).second) context.add_input(value, value->name());
    });
  }
  // Whether what else the node gives is used. (Its first result is.)
  for (size_t i = 1; i < node.outputs().size(); ++i) {
    if (ir::is_used(*program.graph, node.output(i))) context.mark_used(node.output(i), nullptr);
  }
  context.lower(node);
  if (context.reasons().empty()) return std::nullopt;
  return context.reasons().front();
}

}  // namespace slipway::onnx
