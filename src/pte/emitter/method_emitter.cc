#include "pte/emitter/method_emitter.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/try.h"
#include "ir/op_builder.h"
#include "pte/emitter/device_memory.h"
#include "pte/emitter/memory_plan.h"
#include "pte/format/layout.h"

namespace slipway::pte {

namespace {

// The values that some node or output uses, sub-graphs aside: those see only what they are given.
std::set<const ir::Value*> used_values(const ir::Graph& graph) {
  std::set<const ir::Value*> used;
  auto use = [&](const ir::Value* value) { used.insert(value); };
  for (const auto& node : graph.nodes()) {
    for (const ir::Argument& argument : node->args()) ir::Graph::for_each_value(argument, use);
  }
  for (const ir::Argument& output : graph.outputs()) ir::Graph::for_each_value(output, use);
  return used;
}

// nonzero gives at most one row for each element, which export does not always write down.
// masked_select gives at most one for each of the broadcast tensor, where export counts the tensor
// alone.
void bound_data_dependent_sizes(const ir::Graph& graph, ir::SymbolRanges& ranges) {
  for (const auto& node : graph.nodes()) {
    if (node->op() != "aten.nonzero.default" && node->op() != "aten.masked_select.default") {
      continue;
    }
    if (node->output()->rank() == 0) continue;
    const ir::SymInt& rows = node->output()->sizes()[0];
    ir::SymInt count = node->value(0)->type().numel();
    const bool selects = node->op() == "aten.masked_select.default";
    if (selects) {
      const auto sizes = ir::broadcast_sizes(node->value(0)->sizes(), node->value(1)->sizes());
      if (!sizes.ok()) continue;
      count = ir::numel(*sizes);
    }
    auto most = count.bounds(ranges).max;
    if (!rows.is_symbol() || !most) continue;
    ir::Range& range = ranges[rows.symbol_name()];
    range.max = selects ? *most : std::min(range.max.value_or(*most), *most);
    range.min = std::max<int64_t>(range.min.value_or(0), 0);
  }
}

// The first user input with the symbol in its sizes, or that is an integer made of it.
const ir::Input* find_input_with(const ir::Program& program, const std::string& symbol) {
  auto has_symbol = [&](const ir::SymInt& expression) {
    const std::vector<std::string> symbols = expression.symbols();
    return std::find(symbols.begin(), symbols.end(), symbol) != symbols.end();
  };
  for (const ir::Input& input : program.inputs) {
    if (input.kind != ir::InputKind::kUserInput) continue;
    const std::vector<ir::SymInt>& sizes = input.value->sizes();
    if (has_symbol(input.value->expression()) ||
        std::any_of(sizes.begin(), sizes.end(), has_symbol)) {
      return &input;
    }
  }
  return nullptr;
}

}  // namespace

MethodEmitter::MethodEmitter(const Method& method, const EmitOptions& options, FileData& data)
    : method_(method),
      options_(options),
      program_(*method.program),
      data_(data),
      ranges_(program_.ranges),
      plan_(method.name),
      symbols_(plan_, ranges_) {}

Result<EmittedMethod> MethodEmitter::emit() {
  const ir::Graph& graph = *program_.graph;
  if (program_.outputs.size() != graph.outputs().size()) {
    return internal_error("the graph has {} outputs and the signature {}", graph.outputs().size(),
                          program_.outputs.size());
  }
  bound_data_dependent_sizes(graph, ranges_);
  for (const ir::Output& output : program_.outputs) {
    if (const ir::Input* input = mutation_target(program_, output)) mutated_[input->name] = input;
  }
  std::set<const ir::Value*> used = used_values(graph);
  for (const ir::Input& input : program_.inputs) {
    bool user = input.kind == ir::InputKind::kUserInput || input.kind == ir::InputKind::kLiteral;
    if (user || used.contains(input.value) || mutated_.contains(input.name)) {
      SLIPWAY_RETURN_IF_ERROR(emit_input(input));
    }
  }

  std::vector<Target> targets;
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    const auto* value = std::get_if<ir::Value*>(&graph.outputs()[i]);
    if (program_.outputs[i].kind != ir::OutputKind::kUserOutput) continue;
    if (value && (*value)->is_tensor()) {
      targets.push_back({*value, (*value)->type()});
    } else {
      targets.push_back({});
    }
  }
  placement_ = place(program_, targets, method_.engines);
  SLIPWAY_ASSIGN_OR_RETURN(std::vector<int32_t> indices, add_output_targets(targets));
  SLIPWAY_RETURN_IF_ERROR(emit_graph(graph, placement_, targets, indices));

  // Numbers among the outputs are computed at the end, unless they are known by then.
  size_t user_output = 0;
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    if (program_.outputs[i].kind != ir::OutputKind::kUserOutput) continue;
    int32_t index = indices[user_output++];
    if (index < 0) {
      SLIPWAY_ASSIGN_OR_RETURN(index, output_value(graph.outputs()[i]));
    }
    plan_.plan().outputs.push_back(index);
  }
  SLIPWAY_RETURN_IF_ERROR(emit_mutations());
  for (int32_t output : plan_.plan().outputs) plan_.keep_to_end(output);

  for (size_t i = 0; i < program_.outputs.size(); ++i) {
    const ir::Input* target = mutation_target(program_, program_.outputs[i]);
    if (target && target->kind != ir::InputKind::kUserInput) {
      result_.mutable_buffers.push_back(target->target);
    }
  }
  if (options_.device_of) place_on_devices(plan_.plan());
  SLIPWAY_RETURN_IF_ERROR(emit_initial_values());
  SLIPWAY_ASSIGN_OR_RETURN(plan_.plan().arenas, plan_memory(plan_.plan().blocks));
  result_.plan = std::move(plan_.plan());
  return std::move(result_);
}

Result<TensorValue> MethodEmitter::bounded_tensor(const ir::TensorType& type,
                                                  const std::string& what) const {
  auto tensor = tensor_value(type, ranges_, what);
  if (tensor.ok() || tensor.error().code() != ErrorCode::kInvalidArgument) return tensor;
  for (const ir::SymInt& size : type.sizes) {
    for (const std::string& symbol : size.symbols()) {
      auto range = ranges_.find(symbol);
      if (range != ranges_.end() && range->second.max) continue;
      const ir::Input* source = find_input_with(program_, symbol);
      if (!source) continue;
      return Error(tensor.error().code(),
                   tensor.error().message() + "; " + symbol + " comes from input " + source->name);
    }
  }
  return tensor;
}

Status MethodEmitter::emit_input(const ir::Input& input) {
  switch (input.kind) {
    case ir::InputKind::kParameter:
    case ir::InputKind::kBuffer:
    case ir::InputKind::kConstant:
      return mutated_.contains(input.name) ? emit_mutable_buffer(input) : emit_constant(input);
    case ir::InputKind::kCustomObject:
      return unsupported("{}: the custom object {} of class {} is used, and no kernel takes it",
                         input.name, input.target, input.object_type);
    case ir::InputKind::kToken:
      return unsupported("{}: a program with effect tokens can't be compiled", input.name);
    case ir::InputKind::kLiteral: {
      SLIPWAY_ASSIGN_OR_RETURN(int32_t index, output_value(input.literal));
      plan_.plan().inputs.push_back(index);
      return {};
    }
    case ir::InputKind::kUserInput:
      break;
  }
  int32_t index = 0;
  if (input.value->is_tensor()) {
    SLIPWAY_ASSIGN_OR_RETURN(TensorValue tensor,
                             bounded_tensor(input.value->type(), "input " + input.name));
    index = plan_.add(std::move(tensor));
    symbols_.define_sizes(index, input.value->sizes());
  } else if (input.value->kind() == ir::ValueKind::kSymInt) {
    // ExecuTorch's own runtimes accept only this value; slipway::Module sets others.
    index = plan_.add(input.value->expression().bounds(ranges_).min.value_or(0));
    symbols_.define(input.value->expression(), index);
  } else if (input.value->kind() == ir::ValueKind::kSymFloat) {
    index = plan_.add(0.0);
  } else if (input.value->kind() == ir::ValueKind::kSymBool) {
    index = plan_.add(false);
  } else {
    return unsupported("input {}: an object can't be an input of an ExecuTorch program",
                       input.name);
  }
  values_[input.value] = index;
  plan_.plan().inputs.push_back(index);
  return {};
}

Status MethodEmitter::emit_constant(const ir::Input& input) {
  if (!input.data) return internal_error("{} has no data", input.name);
  SLIPWAY_ASSIGN_OR_RETURN(TensorValue tensor, bounded_tensor(input.value->type(), input.name));
  SLIPWAY_ASSIGN_OR_RETURN(tensor.data_buffer, data_.constants.add(*input.data, input.name));
  values_[input.value] = plan_.add(std::move(tensor));
  return {};
}

Status MethodEmitter::emit_mutable_buffer(const ir::Input& input) {
  if (!input.data) return internal_error("{} has no data", input.name);
  SLIPWAY_ASSIGN_OR_RETURN(TensorValue tensor, bounded_tensor(input.value->type(), input.name));
  SLIPWAY_RETURN_IF_ERROR(plan_.allocate(tensor));
  Block& block = plan_.plan().blocks[static_cast<size_t>(tensor.block)];
  block.permanent = true;
  if (options_.share_buffers) SLIPWAY_RETURN_IF_ERROR(share(input.target, block));
  tensor.name = input.target;
  values_[input.value] = plan_.add(std::move(tensor));
  mutable_buffers_.push_back(&input);
  return {};
}

Status MethodEmitter::share(const std::string& name, Block& block) {
  const auto [place, is_new] =
      data_.shared_places.try_emplace(name, FileData::SharedPlace{data_.shared_end, block.size});
  if (is_new) {
    const auto end = checked_add(data_.shared_end, std::max<uint64_t>(block.size, 1));
    const auto aligned = end ? checked_align(*end, kTensorAlignment) : std::nullopt;
    if (!aligned)
      return resource_exhausted("the shared buffers need more memory than there can be");
    data_.shared_end = *aligned;
  } else if (place->second.size != block.size) {
    return internal_error("the shared buffer {} has {} bytes, and {} in an earlier method", name,
                          block.size, place->second.size);
  }
  block.shared = true;
  block.offset = place->second.offset;
  return {};
}

Status MethodEmitter::emit_initial_values() {
  const size_t begin = plan_.plan().instructions.size();
  plan_.set_origin("");
  int32_t is_first_run = -1;
  int32_t jump = 0;
  for (const ir::Input* input : mutable_buffers_) {
    const int32_t buffer = values_.at(input->value);
    if (!plan_.plan().blocks[static_cast<size_t>(plan_.tensor(buffer).block)].device) {
      SLIPWAY_ASSIGN_OR_RETURN(plan_.tensor(buffer).data_buffer,
                               data_.mutable_buffers.add(*input->data, input->name));
      continue;
    }
    // ExecuTorch would write to it as to memory of the host, when the method is loaded.
    if (is_first_run < 0) {
      TensorValue flag;
      flag.dtype = DType::kBool;
      SLIPWAY_RETURN_IF_ERROR(plan_.allocate(flag));
      plan_.plan().blocks[static_cast<size_t>(flag.block)].permanent = true;
      ir::ConstantData is_true;
      is_true.dtype = DType::kBool;
      is_true.storage = own_bytes(std::vector{std::byte{1}});
      SLIPWAY_ASSIGN_OR_RETURN(flag.data_buffer,
                               data_.mutable_buffers.add(is_true, "the flag of the first run"));
      is_first_run = plan_.add(std::move(flag));
      jump = plan_.jump_false(is_first_run);
    }
    TensorValue initial;
    initial.dtype = plan_.tensor(buffer).dtype;
    initial.sizes = plan_.tensor(buffer).sizes;
    SLIPWAY_ASSIGN_OR_RETURN(initial.data_buffer, data_.constants.add(*input->data, input->name));
    plan_.call("et_copy::_h2d_copy", "out", {plan_.add(std::move(initial)), buffer, buffer});
  }
  if (is_first_run < 0) return {};
  plan_.call("aten::logical_not", "out", {is_first_run, is_first_run, is_first_run});
  plan_.set_destination(jump, plan_.next_instruction());
  bring_to_front(plan_.plan(), begin);
  return {};
}

Result<std::vector<int32_t>> MethodEmitter::add_output_targets(const std::vector<Target>& targets) {
  std::vector<int32_t> indices;
  for (const Target& target : targets) {
    if (!target.value) {
      indices.push_back(-1);
      continue;
    }
    SLIPWAY_ASSIGN_OR_RETURN(TensorValue tensor,
                             bounded_tensor(target.type, "output " + target.value->name()));
    if (options_.alloc_graph_output) SLIPWAY_RETURN_IF_ERROR(plan_.allocate(tensor));
    indices.push_back(plan_.add(std::move(tensor)));
  }
  return indices;
}

Result<int32_t> MethodEmitter::output_value(const ir::Argument& output) {
  if (std::holds_alternative<ir::None>(output)) return plan_.null();
  if (const auto* text = std::get_if<std::string>(&output)) return plan_.string(*text);
  if (const auto* value = std::get_if<ir::Value*>(&output)) {
    if ((*value)->kind() == ir::ValueKind::kSymInt) return symbols_.value((*value)->expression());
    return index_of(*value);
  }
  return number(output);
}

Status MethodEmitter::emit_mutations() {
  const ir::Graph& graph = *program_.graph;
  struct Pending {
    int32_t from;
    int32_t to;
  };
  std::vector<Pending> pending;
  std::set<const ir::Value*> targets;
  for (const auto& [name, input] : mutated_) targets.insert(input->value);

  plan_.set_origin("");
  for (size_t i = 0; i < program_.outputs.size(); ++i) {
    const ir::Input* target = mutation_target(program_, program_.outputs[i]);
    if (!target) continue;
    const auto* value = std::get_if<ir::Value*>(&graph.outputs()[i]);
    if (!value) return internal_error("the new value of {} is not a tensor", target->name);
    const ir::Value* root = placement_.root(*value);
    auto in_place = placement_.in_place.find(root);
    if (root == target->value) continue;
    if (in_place != placement_.in_place.end() && in_place->second == target->value) continue;
    SLIPWAY_ASSIGN_OR_RETURN(int32_t from, index_of(*value));
    bool is_overwritten = targets.contains(root) || in_place != placement_.in_place.end();
    if (is_overwritten) {
      // Another mutation may come first, as when two buffers change places.
      TensorValue snapshot = plan_.tensor(from);
      snapshot.data_buffer = 0;
      snapshot.name.clear();
      SLIPWAY_RETURN_IF_ERROR(plan_.allocate(snapshot));
      int32_t saved = plan_.add(std::move(snapshot));
      copy(from, saved);
      from = saved;
    }
    pending.push_back({from, values_.at(target->value)});
  }
  int32_t blocking = plan_.boolean(false);
  for (const Pending& mutation : pending) {
    plan_.call("aten::copy_", "", {mutation.to, mutation.from, blocking, mutation.to});
  }
  return {};
}

}  // namespace slipway::pte
