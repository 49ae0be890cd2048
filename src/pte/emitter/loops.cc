#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/try.h"
#include "ir/scan.h"
#include "pte/emitter/method_emitter.h"

namespace slipway::pte {

// The counter starts anew in every run, and the jump back is taken while it is below the count:
// runtime/loops.h knows such a loop by its last three instructions.
Status MethodEmitter::emit_scan(const ir::Node& node, const Placement& placement,
                                const std::vector<int32_t>& indices) {
  SLIPWAY_ASSIGN_OR_RETURN(const ir::Scan scan, ir::scan_of(node));
  const ir::Graph& body = *scan.body;
  const std::vector<ir::Argument> given = operands(node, ir::Scan::kGiven);
  if (given.size() != body.inputs().size() - scan.first_given()) {
    return internal_error("the body of the loop takes {} values besides, and is given {}",
                          body.inputs().size() - scan.first_given(), given.size());
  }
  const std::string origin = plan_.origin();

  std::vector<int32_t> results;
  std::vector<Stack> stacks;
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    const ir::Value* output = node.outputs()[i];
    SLIPWAY_ASSIGN_OR_RETURN(const int32_t result, result_value(output, placement, indices));
    values_[output] = result;
    results.push_back(result);
    if (i < scan.state.size()) {
      SLIPWAY_ASSIGN_OR_RETURN(const int32_t first, index_of(scan.state[i]));
      copy(first, result);
      continue;
    }
    SLIPWAY_ASSIGN_OR_RETURN(const Stack stack, make_stack(*output, result));
    stacks.push_back(stack);
  }

  std::vector<int32_t> scanned;
  for (const ir::Value* value : scan.scanned) {
    SLIPWAY_ASSIGN_OR_RETURN(const int32_t tensor, index_of(value));
    scanned.push_back(tensor);
  }
  const int32_t zero = plan_.integer(0);
  const int32_t one = plan_.integer(1);
  const auto known = scan.count().constant();
  if (known == 0) return {};
  int32_t count = 0;
  int32_t to_end = -1;
  if (known) {
    count = plan_.integer(*known);
  } else {
    // Not by symbols_: that it is the size of a tensor bounds the loop.
    count = plan_.add(int64_t{0});
    plan_.call_on_sizes("aten::sym_size", "int", {scanned[0], zero, count});
    if (scan.count().bounds(ranges_).min.value_or(0) < 1) {
      to_end = plan_.jump_false(prim("gt", {count, zero}));
    }
  }
  const int32_t last = scan.reversed ? prim("sub", {count, one}) : -1;
  const int32_t counter = plan_.add(int64_t{0});
  plan_.move(zero, counter);

  std::vector<int32_t> kept = results;
  for (const Stack& stack : stacks) kept.push_back(stack.whole);
  plan_.begin_loop(kept);
  symbols_.enter_branch();
  const int32_t position = scan.reversed ? prim("sub", {last, counter}) : counter;
  for (size_t i = 0; i < scan.first_given(); ++i) {
    const ir::Value* input = body.inputs()[i];
    if (i < scan.state.size()) {
      values_[input] = results[i];
    } else {
      SLIPWAY_ASSIGN_OR_RETURN(const int32_t element, allocated(input->type(), input->name()));
      plan_.call("aten::select_copy", "int_out",
                 {scanned[i - scan.state.size()], zero, position, element, element});
      values_[input] = element;
    }
    symbols_.define_sizes(values_[input], input->sizes());
  }
  SLIPWAY_RETURN_IF_ERROR(bind(body, scan.first_given(), given));
  const Placement inside = place_loop(body, scan.state.size());
  SLIPWAY_RETURN_IF_ERROR(emit_graph(body, inside, {}, results));
  plan_.set_origin(origin);
  for (size_t i = scan.state.size(); i < results.size(); ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(const int32_t element,
                             index_of(std::get<ir::Value*>(body.outputs()[i])));
    plan_.call("executorch_prim::et_copy_index", "tensor",
               {stacks[i - scan.state.size()].growing, element, position});
  }
  const std::vector<int32_t> states(
      results.begin(), results.begin() + static_cast<std::ptrdiff_t>(scan.state.size()));
  SLIPWAY_RETURN_IF_ERROR(advance(body, states, inside));
  symbols_.leave_branch();
  plan_.call("executorch_prim::add", "Scalar", {counter, one, counter});
  plan_.end_loop(prim("ge", {counter, count}));
  if (to_end >= 0) plan_.set_destination(to_end, plan_.next_instruction());
  for (size_t i = 0; i < stacks.size(); ++i) {
    const int32_t result = results[scan.state.size() + i];
    if (stacks[i].whole != result) copy(stacks[i].whole, result);
  }
  return {};
}

// et_copy_index makes its result as long as the index asks for, so that it has a tensor of its own
// over the memory.
Result<MethodEmitter::Stack> MethodEmitter::make_stack(const ir::Value& value, int32_t result) {
  Stack stack{result, 0};
  if (!plan_.tensor(result).allocated) {
    SLIPWAY_ASSIGN_OR_RETURN(stack.whole, allocated(value.type(), value.name()));
  }
  TensorValue growing = plan_.tensor(stack.whole);
  growing.dynamic = true;
  growing.data_buffer = 0;
  growing.name.clear();
  stack.growing = plan_.add(std::move(growing));
  if (value.type().is_static()) return stack;
  std::vector<int32_t> sizes;
  for (const ir::SymInt& size : value.sizes()) {
    SLIPWAY_ASSIGN_OR_RETURN(const int32_t item, symbols_.value(size));
    sizes.push_back(item);
  }
  const int32_t list = plan_.int_list(sizes);
  for (const int32_t tensor : {stack.whole, stack.growing}) {
    plan_.call("aten::empty", "out", {list, plan_.null(), tensor, tensor});
  }
  return stack;
}

// (condition, body, state, given): both graphs take the state and the rest.
Status MethodEmitter::emit_while(const ir::Node& node, const Placement& placement,
                                 const std::vector<int32_t>& indices) {
  constexpr size_t kGiven = 3;
  const bool has_args = node.args().size() > kGiven;
  const auto* condition =
      has_args ? std::get_if<std::shared_ptr<ir::Graph>>(&node.arg(0)) : nullptr;
  const auto* body = condition ? std::get_if<std::shared_ptr<ir::Graph>>(&node.arg(1)) : nullptr;
  const auto* state = body ? std::get_if<std::vector<ir::Value*>>(&node.arg(2)) : nullptr;
  if (!state) {
    return unsupported("its state holds numbers: make them tensors of no dimensions");
  }
  const std::vector<ir::Argument> given = operands(node, kGiven);
  const size_t count = state->size();
  const auto is_tensor = [](const ir::Argument& argument) {
    const auto* value = std::get_if<ir::Value*>(&argument);
    return value && *value && (*value)->is_tensor();
  };
  const auto& next = (*body)->outputs();
  const auto& decision = (*condition)->outputs();
  if ((*condition)->inputs().size() != count + given.size() ||
      (*body)->inputs().size() != count + given.size() || next.size() != count ||
      node.outputs().size() != count || decision.size() != 1 ||
      !std::all_of(next.begin(), next.end(), is_tensor) ||
      !std::all_of(state->begin(), state->end(), is_tensor)) {
    return unsupported("its graphs take and give something else than its state");
  }
  const std::string origin = plan_.origin();

  std::vector<int32_t> states;
  for (size_t i = 0; i < count; ++i) {
    const ir::Value* output = node.outputs()[i];
    SLIPWAY_ASSIGN_OR_RETURN(const int32_t result, result_value(output, placement, indices));
    SLIPWAY_ASSIGN_OR_RETURN(const int32_t first, index_of((*state)[i]));
    copy(first, result);
    values_[output] = result;
    states.push_back(result);
  }
  const auto enter = [&](const ir::Graph& graph) {
    symbols_.enter_branch();
    for (size_t i = 0; i < count; ++i) {
      values_[graph.inputs()[i]] = states[i];
      symbols_.define_sizes(states[i], graph.inputs()[i]->sizes());
    }
    return bind(graph, count, given);
  };
  plan_.begin_loop(states);
  SLIPWAY_RETURN_IF_ERROR(enter(**condition));
  SLIPWAY_RETURN_IF_ERROR(emit_graph(**condition, {}, {}, {}));
  plan_.set_origin(origin);
  int32_t goes_on = 0;
  if (is_tensor(decision[0])) {
    const ir::Value* value = std::get<ir::Value*>(decision[0]);
    if (value->dtype() != DType::kBool) {
      return unsupported("the condition is a tensor of {}; it must be bool",
                         dtype_name(value->dtype()));
    }
    SLIPWAY_ASSIGN_OR_RETURN(goes_on, index_of(value));
  } else {
    SLIPWAY_ASSIGN_OR_RETURN(goes_on, number(decision[0]));
  }
  symbols_.leave_branch();
  const int32_t to_end = plan_.jump_false(goes_on);
  SLIPWAY_RETURN_IF_ERROR(enter(**body));
  const Placement inside = place_loop(**body, count);
  SLIPWAY_RETURN_IF_ERROR(emit_graph(**body, inside, {}, states));
  plan_.set_origin(origin);
  SLIPWAY_RETURN_IF_ERROR(advance(**body, states, inside));
  symbols_.leave_branch();
  plan_.end_loop(plan_.boolean(false));
  plan_.set_destination(to_end, plan_.next_instruction());
  return {};
}

Status MethodEmitter::advance(const ir::Graph& body, const std::vector<int32_t>& states,
                              const Placement& placement) {
  std::vector<std::pair<int32_t, int32_t>> copies;
  for (size_t i = 0; i < states.size(); ++i) {
    const ir::Value* next = std::get<ir::Value*>(body.outputs()[i]);
    const auto direct = placement.direct.find(next);
    if (direct != placement.direct.end() && direct->second == i) continue;
    const ir::Value* root = placement.root(next);
    if (root == body.inputs()[i]) continue;
    SLIPWAY_ASSIGN_OR_RETURN(int32_t from, index_of(next));
    // Another state, which may be overwritten first.
    if (!root->producer() && root->index() < states.size()) {
      SLIPWAY_ASSIGN_OR_RETURN(const int32_t saved, allocated(next->type(), next->name()));
      copy(from, saved);
      from = saved;
    }
    copies.emplace_back(from, states[i]);
  }
  for (const auto& [from, to] : copies) copy(from, to);
  return {};
}

}  // namespace slipway::pte
