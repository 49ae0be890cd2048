#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/try.h"
#include "ir/scan.h"
#include "pte/emitter/kernels.h"
#include "pte/emitter/method_emitter.h"

namespace slipway::pte {

namespace {

// "linear: File "m.py", line 3, in forward"
std::string origin_of(const ir::Node& node) {
  const std::string& name = node.origin().empty() ? node.name() : node.origin();
  return node.stack_trace().empty() ? name : name + ": " + node.stack_trace();
}

std::string describe(const ir::Node& node) {
  std::string text = "node " + node.name() + " (" + node.op() + ")";
  return node.stack_trace().empty() ? text : text + ", from " + node.stack_trace();
}

// The kernel that writes in place takes no masks.
bool has_integer_indices(const ir::Node& node) {
  const auto& indices = std::get<std::vector<ir::Value*>>(node.arg(1));
  return std::all_of(indices.begin(), indices.end(),
                     [](const ir::Value* index) { return !index || is_integral(index->dtype()); });
}

}  // namespace

Status MethodEmitter::emit_graph(const ir::Graph& graph, const Placement& placement,
                                 const std::vector<Target>& targets,
                                 const std::vector<int32_t>& indices) {
  std::vector<std::pair<size_t, const ir::Value*>> views;
  for (const auto& [value, target] : placement.through_view) views.emplace_back(target, value);
  std::sort(views.begin(), views.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [target, value] : views) {
    SLIPWAY_ASSIGN_OR_RETURN(values_[value], alias(indices[target], value->type(), value->name()));
  }

  for (const auto& node : graph.nodes()) {
    plan_.set_origin(origin_of(*node));
    Status status = emit_node(*node, placement, indices);
    if (!status.ok()) return status.error().with_context(describe(*node));
    for (const ir::Value* output : node->outputs()) {
      auto value = values_.find(output);
      if (output->is_tensor() && value != values_.end()) {
        symbols_.define_sizes(value->second, output->sizes());
      }
    }
  }

  plan_.set_origin("");
  for (size_t target : placement.copied) {
    SLIPWAY_ASSIGN_OR_RETURN(int32_t from, index_of(targets[target].value));
    copy(from, indices[target]);
  }
  return {};
}

Status MethodEmitter::emit_node(const ir::Node& node, const Placement& placement,
                                const std::vector<int32_t>& indices) {
  if (node.op() == "higher_order.cond") return emit_cond(node, placement, indices);
  if (node.op() == ir::kScan) return emit_scan(node, placement, indices);
  if (node.op() == "higher_order.while_loop") return emit_while(node, placement, indices);
  for (const ir::Value* output : node.outputs()) {
    if (output->kind() == ir::ValueKind::kAbsent) {
      return unsupported("one of its results is None, which no kernel of ExecuTorch gives");
    }
  }
  if (node.op() == ir::kCallEngine) return emit_engine_call(node, placement, indices);
  if (is_symbolic(node)) return emit_symbolic(node);
  if (is_view(node)) return emit_view(node, placement, indices);
  return emit_kernel(node, placement, indices);
}

Status MethodEmitter::emit_kernel(const ir::Node& node, const Placement& placement,
                                  const std::vector<int32_t>& indices) {
  const schema::Schema* kernel = select_kernel(node.op());
  const schema::Schema* op = schema::find_operator(node.op());
  if (!kernel) {
    return unsupported("no kernel of ExecuTorch computes it; rewrite the model without it");
  }
  std::vector<int32_t> results;
  for (const ir::Value* output : node.outputs()) {
    SLIPWAY_ASSIGN_OR_RETURN(int32_t index, result_value(output, placement, indices));
    values_[output] = index;
    results.push_back(index);
  }
  if (node.op() == "aten.index_put.default" && has_integer_indices(node) &&
      placement.in_place.contains(node.output()) &&
      placement.root(node.value(0)) == placement.in_place.at(node.output())) {
    return emit_index_put(node);
  }

  std::vector<int32_t> args;
  std::vector<int32_t> outs;
  size_t position = 0;
  for (const schema::Parameter& parameter : kernel->parameters) {
    if (parameter.is_out) {
      if (parameter.type.list) {
        outs.push_back(plan_.tensor_list(results));
      } else if (outs.size() < results.size()) {
        outs.push_back(results[outs.size()]);
      } else {
        return internal_error("{} has more results than the node", kernel->text);
      }
      continue;
    }
    std::optional<size_t> source = op ? op->find(parameter.name) : position;
    ++position;
    int32_t value = 0;
    if (parameter.name == "dim_order") {
      value = dim_order(node.output()->sizes().size());
    } else if (source && *source < node.args().size()) {
      SLIPWAY_ASSIGN_OR_RETURN(value, argument(node.arg(*source), parameter));
    } else {
      SLIPWAY_ASSIGN_OR_RETURN(value, default_argument(parameter));
    }
    args.push_back(value);
  }
  args.insert(args.end(), outs.begin(), outs.end());
  args.push_back(outs.size() == 1 ? outs[0] : plan_.tensor_list(outs));
  plan_.call(kernel->name, kernel->overload, std::move(args));
  return {};
}

// Writes only the elements that change, so that a cache is not copied to add a row.
Status MethodEmitter::emit_index_put(const ir::Node& node) {
  const schema::Schema* kernel = schema::find_kernel("aten::index_put_", "");
  if (!kernel) return internal_error("the kernel table lacks aten::index_put_");
  int32_t self = values_.at(node.output());
  std::vector<int32_t> args = {self};
  for (size_t i = 1; i < kernel->parameters.size(); ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(int32_t value, argument(node.arg(i), kernel->parameters[i]));
    args.push_back(value);
  }
  args.push_back(self);
  plan_.call(kernel->name, kernel->overload, std::move(args));
  return {};
}

Status MethodEmitter::emit_view(const ir::Node& node, const Placement& placement,
                                const std::vector<int32_t>& indices) {
  const ir::Value* result = node.output();
  SLIPWAY_ASSIGN_OR_RETURN(int32_t source, index_of(node.value(0)));
  auto target = placement.direct.find(result);
  if (target == placement.direct.end()) {
    SLIPWAY_ASSIGN_OR_RETURN(values_[result], alias(source, result->type(), result->name()));
    return {};
  }
  int32_t index = indices[target->second];
  values_[result] = index;
  if (placement.aliases_target.contains(result)) return {};
  SLIPWAY_ASSIGN_OR_RETURN(int32_t sizes, size_list(result->sizes()));
  plan_.call("aten::view_copy", "out", {source, sizes, index, index});
  return {};
}

Result<int32_t> MethodEmitter::result_value(const ir::Value* value, const Placement& placement,
                                            const std::vector<int32_t>& indices) {
  auto target = placement.direct.find(value);
  if (target != placement.direct.end()) return indices[target->second];
  if (placement.through_view.contains(value)) return values_.at(value);
  auto in_place = placement.in_place.find(value);
  if (in_place != placement.in_place.end()) {
    int32_t memory = values_.at(in_place->second);
    if (value->sizes() == in_place->second->sizes()) return memory;
    return alias(memory, value->type(), value->name());
  }
  return allocated(value->type(), value->name());
}

Result<int32_t> MethodEmitter::allocated(const ir::TensorType& type, const std::string& name) {
  SLIPWAY_ASSIGN_OR_RETURN(TensorValue tensor, bounded_tensor(type, name));
  SLIPWAY_RETURN_IF_ERROR(plan_.allocate(tensor));
  return plan_.add(std::move(tensor));
}

Result<int32_t> MethodEmitter::alias(int32_t source, const ir::TensorType& type,
                                     const std::string& name) {
  SLIPWAY_ASSIGN_OR_RETURN(TensorValue view, bounded_tensor(type, name));
  const TensorValue& original = plan_.tensor(source);
  view.block = original.block;
  if (original.has_static_address() && !view.dynamic) {
    view.allocated = original.allocated;
    // A mutable buffer is initialised once, under its own name.
    if (!original.allocated) view.data_buffer = original.data_buffer;
    return plan_.add(std::move(view));
  }
  int32_t index = plan_.add(std::move(view));
  SLIPWAY_ASSIGN_OR_RETURN(int32_t sizes, size_list(type.sizes));
  plan_.call("executorch_prim::et_view", "default", {source, sizes, index});
  return index;
}

Result<int32_t> MethodEmitter::size_list(const std::vector<ir::SymInt>& sizes) {
  auto is_dynamic = [](const ir::SymInt& size) { return !size.is_constant(); };
  auto is_zero = [](const ir::SymInt& size) { return size == ir::SymInt(0); };
  bool infer = std::count_if(sizes.begin(), sizes.end(), is_dynamic) == 1 &&
               std::none_of(sizes.begin(), sizes.end(), is_zero);
  std::vector<int32_t> items;
  for (const ir::SymInt& size : sizes) {
    if (infer && is_dynamic(size)) {
      items.push_back(plan_.integer(-1));
      continue;
    }
    SLIPWAY_ASSIGN_OR_RETURN(int32_t item, symbols_.value(size));
    items.push_back(item);
  }
  return plan_.int_list(items);
}

// By the kernel that copies bytes: others don't take every type.
void MethodEmitter::copy(int32_t from, int32_t to) {
  plan_.call("aten::alias_copy", "out", {from, to, to});
}

}  // namespace slipway::pte
