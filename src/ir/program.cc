#include "ir/program.h"

#include <unordered_map>
#include <unordered_set>

namespace slipway::ir {

Program Program::clone() const {
  Program copy = *this;
  std::unordered_map<const Value*, Value*> copies;
  copy.graph = graph->clone([&](const Value* from, Value* to) { copies.emplace(from, to); });
  for (Input& input : copy.inputs) {
    if (input.value) input.value = copies.at(input.value);
  }
  return copy;
}

const Input* Program::input_of(const Value* value) const {
  if (value->producer() != nullptr) return nullptr;
  // Entries without a value only push an entry further back.
  for (size_t i = value->index(); i < inputs.size(); ++i) {
    if (inputs[i].value == value) return &inputs[i];
  }
  return nullptr;
}

Input* Program::input_of(const Value* value) {
  return const_cast<Input*>(static_cast<const Program*>(this)->input_of(value));
}

Value* Program::add_constant(const std::string& name, ConstantData data) {
  TensorType type;
  type.dtype = data.dtype;
  type.sizes.assign(data.sizes.begin(), data.sizes.end());
  Input input;
  input.kind = InputKind::kConstant;
  input.value = graph->add_input(name, std::move(type));
  input.name = input.value->name();
  input.target = input.name;
  input.data = std::move(data);
  inputs.push_back(std::move(input));
  return inputs.back().value;
}

void Program::remove_unused_constants() {
  std::unordered_set<const Value*> used;
  auto use = [&](Value* value) { used.insert(value); };
  for (const auto& node : graph->nodes()) {
    for (const Argument& argument : node->args()) Graph::for_each_value(argument, use);
  }
  for (const Argument& output : graph->outputs()) Graph::for_each_value(output, use);
  std::unordered_set<std::string> mutated;
  for (const Output& output : outputs) {
    if (output.kind == OutputKind::kBufferMutation) mutated.insert(output.target);
  }

  std::unordered_set<const Value*> removed;
  std::erase_if(inputs, [&](const Input& input) {
    if (input.kind == InputKind::kUserInput || input.kind == InputKind::kLiteral) return false;
    if (used.contains(input.value)) return false;
    bool is_state = input.kind == InputKind::kBuffer || input.kind == InputKind::kParameter;
    if (is_state && mutated.contains(input.target)) return false;
    removed.insert(input.value);
    return true;
  });
  graph->remove_inputs([&](const Value* value) { return removed.contains(value); });
}

}  // namespace slipway::ir
