#include "passes/batching.h"

#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>
#include <utility>

#include "base/error.h"
#include "ir/queries.h"
#include "passes/rewrite.h"
#include "schema/operator_name.h"

namespace slipway::passes {

using ir::Argument;
using ir::Graph;
using ir::Node;
using ir::SymInt;
using ir::Value;

Batched::Batched(Graph& graph, Node* node, const Batch& batch)
    : build(graph, node, node), node_(node), batch_(batch), name_(schema::aten_name(node->op())) {}

Value* Batched::tensor(size_t i) const {
  if (i >= node_->args().size()) return nullptr;
  auto* const* value = std::get_if<Value*>(&node_->arg(i));
  return value && *value && (*value)->is_tensor() ? *value : nullptr;
}

Value* Batched::operand(size_t i) const {
  Value* value = tensor(i);
  if (!value) throw std::out_of_range("no tensor");
  return value;
}

bool Batched::only_batched(size_t i) const {
  for (size_t other = 0; other < node_->args().size(); ++other) {
    if (other == i) continue;
    bool found = false;
    Graph::for_each_value(node_->arg(other),
                          [&](const Value* value) { found = found || is_batched(value); });
    if (found) return false;
  }
  return true;
}

std::vector<SymInt> Batched::sizes_of(const Value* element) const {
  std::vector<SymInt> sizes = {batch_.size};
  sizes.insert(sizes.end(), element->sizes().begin(), element->sizes().end());
  return sizes;
}

ir::TensorType Batched::type_of(const Value* element) const {
  return {element->dtype(), sizes_of(element), {}};
}

Value* Batched::whole(Value* value) const {
  const auto found = batch_.whole.find(value);
  return found == batch_.whole.end() ? value : found->second;
}

Value* Batched::aligned(Value* value, int64_t rank) {
  if (!is_batched(value) || value->rank() >= rank) return whole(value);
  return with_ones(whole(value), rank - value->rank());
}

Value* Batched::with_ones(Value* whole, int64_t count) {
  std::vector<SymInt> sizes = whole->sizes();
  sizes.insert(sizes.begin() + 1, static_cast<size_t>(count), SymInt(1));
  return build.view(whole, std::move(sizes));
}

Value* Batched::repeated(Value* value) {
  return is_batched(value) ? whole(value) : build.expand(value, sizes_of(value));
}

Value* Batched::places(int64_t behind) {
  std::vector<SymInt> sizes(static_cast<size_t>(behind) + 1, SymInt(1));
  sizes[0] = batch_.size;
  return build.view(build.arange(batch_.size), std::move(sizes));
}

std::vector<Argument> Batched::with(const std::function<Value*(Value*)>& change) const {
  std::vector<Argument> args = node_->args();
  for (Argument& argument : args) {
    Graph::for_each_value(argument, [&](Value*& value) {
      if (value->is_tensor()) value = change(value);
    });
  }
  return args;
}

Batched::Values Batched::same(std::vector<Argument> args) {
  Node* made = build.node(node_->op(), std::move(args));
  for (const Value* output : node_->outputs()) build.graph().add_output(made, type_of(output));
  return made->outputs();
}

Batched::Values Batched::on_wholes() {
  return same(with([&](Value* value) { return whole(value); }));
}

Batched::Values Batched::call(const char* op, std::vector<Argument> args) {
  return {build.call(op, std::move(args), type_of(output()))};
}

Value* moved_first(ir::OpBuilder& build, Value* x, int64_t dim) {
  if (dim == 0) return x;
  std::vector<int64_t> order = {dim};
  for (int64_t i = 0; i < x->rank(); ++i) {
    if (i != dim) order.push_back(i);
  }
  return build.permute(x, std::move(order));
}

namespace {

using Rules = std::map<std::string, BatchingRule, std::less<>>;

void add_rules(Rules& rules, const std::vector<BatchingEntry>& entries) {
  for (const BatchingEntry& entry : entries) {
    for (std::string& name : schema::split_targets(entry.names)) {
      rules.emplace(std::move(name), entry.rule);
    }
  }
}

BatchingRule find_batching(std::string_view op) {
  static const Rules rules = [] {
    Rules all;
    for (const auto* family :
         {&batched_elements(), &batched_dimensions(), &batched_indices(), &batched_products()}) {
      add_rules(all, *family);
    }
    return all;
  }();
  constexpr std::string_view kPrefix = "aten.";
  if (!op.starts_with(kPrefix)) return nullptr;
  auto found = rules.find(op.substr(kPrefix.size()));
  if (found == rules.end()) found = rules.find(schema::aten_name(op));
  return found == rules.end() ? nullptr : found->second;
}

// Nothing where a list or a tensor is shorter than the operator needs, which files may say.
Batched::Values apply_rule(BatchingRule rule, Batched& batched) {
  try {
    return rule(batched);
  } catch (const std::logic_error&) {
    return {};
  }
}

// map(body, elements, others), whose body is the node, with the results that something uses.
std::vector<Value*> looped(Graph& graph, Node* node, const Batch& batch) {
  std::vector<Value*> scanned;
  std::vector<Value*> given;
  std::vector<const Value*> inside;
  for (const bool elements : {true, false}) {
    for (const Argument& argument : node->args()) {
      Graph::for_each_value(argument, [&](Value* value) {
        if (batch.holds(value) != elements ||
            std::find(inside.begin(), inside.end(), value) != inside.end()) {
          return;
        }
        inside.push_back(value);
        (elements ? scanned : given).push_back(elements ? batch.whole.at(value) : value);
      });
    }
  }
  auto body = std::make_shared<Graph>();
  std::unordered_map<const Value*, Value*> copies;
  for (const Value* value : inside) {
    ir::TensorType type = value->type();
    type.strides.clear();
    copies[value] = body->add_input(value->name(), std::move(type));
  }
  std::vector<Argument> args = node->args();
  for (Argument& argument : args) {
    Graph::for_each_value(argument, [&](Value*& value) { value = copies.at(value); });
  }
  Node* copy = body->add_node(node->op(), std::move(args), {.origin = node});
  ir::OpBuilder build(graph, node, node);
  Node* loop = build.node("higher_order.map_impl", {body, scanned, given});
  std::vector<Value*> wholes;
  for (const Value* output : node->outputs()) {
    ir::TensorType type{output->dtype(), output->sizes(), {}};
    Value* made = output->is_tensor()
                      ? body->add_output(copy, type)
                      : body->add_output(copy, output->kind(), output->expression());
    wholes.push_back(nullptr);
    if (!ir::is_used(graph, output)) continue;
    body->outputs().emplace_back(made);
    type.sizes.insert(type.sizes.begin(), batch.size);
    wholes.back() = graph.add_output(loop, std::move(type));
  }
  return wholes;
}

}  // namespace

Result<std::vector<Value*>> apply_to_batch(Graph& graph, Node* node, const Batch& batch) {
  bool are_tensors = true;
  for (const Value* output : node->outputs()) {
    are_tensors = are_tensors && output->is_tensor();
    if (output->is_tensor() || !ir::is_used(graph, output)) continue;
    return unsupported(
        "{}: one of its results is no tensor, which torch.vmap gives for each element: leave it "
        "out of the function that is mapped",
        describe(*node));
  }
  const BatchingRule rule = are_tensors ? find_batching(node->op()) : nullptr;
  if (rule) {
    Batched batched(graph, node, batch);
    const Batched::Values values = apply_rule(rule, batched);
    if (!values.empty() && batched.build.status().ok()) return values;
  }
  for (const Argument& argument : node->args()) {
    bool has_number = false;
    Graph::for_each_value(
        argument, [&](const Value* value) { has_number = has_number || !value->is_tensor(); });
    if (!has_number) continue;
    return unsupported(
        "{}: in torch.vmap it would be a loop over the batch, and is given a number that is only "
        "known when the program runs: make it a tensor",
        describe(*node));
  }
  return looped(graph, node, batch);
}

}  // namespace slipway::passes
