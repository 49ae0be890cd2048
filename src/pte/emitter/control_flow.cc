#include <string>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "base/try.h"
#include "pte/emitter/method_emitter.h"

namespace slipway::pte {

namespace {

constexpr size_t kPredicate = 0;
constexpr size_t kTrueGraph = 1;
constexpr size_t kFalseGraph = 2;
constexpr size_t kOperands = 3;

ir::Argument one(ir::Value* value) {
  return value ? ir::Argument(value) : ir::Argument(ir::None());
}
template <class T>
ir::Argument one(const T& literal) {
  return literal;
}
template <class T>
ir::Argument one(const std::variant<ir::Value*, T>& item) {
  return std::visit([](const auto& held) { return one(held); }, item);
}

}  // namespace

std::vector<ir::Argument> MethodEmitter::operands(const ir::Node& node, size_t first) {
  std::vector<ir::Argument> result;
  auto add = [&result]<class T>(const T& held) {
    if constexpr (requires { typename T::iterator; } && !std::is_same_v<T, std::string>) {
      for (const typename T::value_type& item : held) result.push_back(one(item));
    } else {
      result.push_back(one(held));
    }
  };
  for (size_t i = first; i < node.args().size(); ++i) std::visit(add, node.arg(i));
  return result;
}

Status MethodEmitter::bind(const ir::Graph& graph, size_t first,
                           const std::vector<ir::Argument>& given) {
  for (size_t i = 0; i < given.size(); ++i) {
    const ir::Value* input = graph.inputs()[first + i];
    if (input->kind() == ir::ValueKind::kAbsent) continue;
    if (input->is_tensor()) {
      const auto* value = std::get_if<ir::Value*>(&given[i]);
      if (!value || !(*value)->is_tensor()) {
        return unsupported("{} of a sub-graph is a tensor, but is given {}", input->name(),
                           ir::print(given[i]));
      }
      SLIPWAY_ASSIGN_OR_RETURN(values_[input], index_of(*value));
      symbols_.define_sizes(values_[input], input->sizes());
    } else {
      SLIPWAY_ASSIGN_OR_RETURN(values_[input], number(given[i]));
      if (input->kind() == ir::ValueKind::kSymInt) {
        symbols_.define(input->expression(), values_[input]);
      }
    }
  }
  return {};
}

// Both branches write the same values, so that what follows needs no copy and does not know which
// one ran.
Status MethodEmitter::emit_cond(const ir::Node& node, const Placement& placement,
                                const std::vector<int32_t>& indices) {
  if (node.args().size() < kOperands) return invalid_file("cond has too few arguments");
  const auto* true_graph = std::get_if<std::shared_ptr<ir::Graph>>(&node.arg(kTrueGraph));
  const auto* false_graph = std::get_if<std::shared_ptr<ir::Graph>>(&node.arg(kFalseGraph));
  if (!true_graph || !false_graph) return invalid_file("cond lacks a branch");
  int32_t predicate = 0;
  if (const auto* value = std::get_if<ir::Value*>(&node.arg(kPredicate))) {
    SLIPWAY_ASSIGN_OR_RETURN(predicate, index_of(*value));
    if ((*value)->is_tensor() && (*value)->dtype() != DType::kBool) {
      return unsupported("the condition is a tensor of {}; it must be bool",
                         dtype_name((*value)->dtype()));
    }
  } else {
    SLIPWAY_ASSIGN_OR_RETURN(predicate, number(node.arg(kPredicate)));
  }

  std::vector<int32_t> results;
  for (const ir::Value* output : node.outputs()) {
    int32_t index = 0;
    if (output->is_tensor()) {
      SLIPWAY_ASSIGN_OR_RETURN(index, result_value(output, placement, indices));
    } else if (output->kind() == ir::ValueKind::kAbsent) {
      index = plan_.null();
    } else {
      index = plan_.add(int64_t{0});
    }
    values_[output] = index;
    results.push_back(index);
  }

  int32_t to_false = plan_.jump_false(predicate);
  SLIPWAY_RETURN_IF_ERROR(emit_branch(node, **true_graph, results));
  int32_t to_end = plan_.jump_false(plan_.boolean(false));
  plan_.set_destination(to_false, plan_.next_instruction());
  SLIPWAY_RETURN_IF_ERROR(emit_branch(node, **false_graph, results));
  plan_.set_destination(to_end, plan_.next_instruction());

  for (size_t i = 0; i < node.outputs().size(); ++i) {
    const ir::Value* output = node.outputs()[i];
    if (output->kind() == ir::ValueKind::kSymInt) symbols_.define(output->expression(), results[i]);
  }
  return {};
}

Status MethodEmitter::emit_branch(const ir::Node& node, const ir::Graph& graph,
                                  const std::vector<int32_t>& indices) {
  const std::vector<ir::Argument> given = operands(node, kOperands);
  if (given.size() != graph.inputs().size() || graph.outputs().size() != indices.size()) {
    return invalid_file("a branch of cond takes {} values and gives {}, but is given {} for {}",
                        graph.inputs().size(), graph.outputs().size(), given.size(),
                        indices.size());
  }
  symbols_.enter_branch();
  SLIPWAY_RETURN_IF_ERROR(bind(graph, 0, given));

  std::vector<Target> targets;
  for (size_t i = 0; i < indices.size(); ++i) {
    const auto* value = std::get_if<ir::Value*>(&graph.outputs()[i]);
    const ir::Value* result = node.outputs()[i];
    if (result->is_tensor() && (!value || !(*value)->is_tensor())) {
      return unsupported("a branch of cond gives {} where the other gives a tensor",
                         ir::print(graph.outputs()[i]));
    }
    targets.push_back(result->is_tensor() ? Target{*value, result->type()} : Target{});
  }
  SLIPWAY_RETURN_IF_ERROR(emit_graph(graph, place(targets), targets, indices));
  for (size_t i = 0; i < indices.size(); ++i) {
    if (targets[i].value || node.outputs()[i]->kind() == ir::ValueKind::kAbsent) continue;
    SLIPWAY_ASSIGN_OR_RETURN(int32_t value, number(graph.outputs()[i]));
    plan_.move(value, indices[i]);
  }
  symbols_.leave_branch();
  return {};
}

}  // namespace slipway::pte
