#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/try.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/view_step.h"
#include "schema/traits.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::Graph;
using ir::Node;
using ir::SymInt;
using ir::Value;
using Kind = ViewStep::Kind;

bool is_identity(const std::vector<int64_t>& dims) {
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

// Whether the permutation only moves dimensions of one element, so that nothing moves in memory and
// the sizes stay.
bool moves_nothing(const ViewStep& step, const Value* input, const Value* output) {
  if (is_identity(step.dims)) return true;
  if (input->sizes() != output->sizes()) return false;
  int64_t last = -1;
  for (int64_t dim : step.dims) {
    if (input->sizes()[static_cast<size_t>(dim)] == SymInt(1)) continue;
    if (dim < last) return false;
    last = dim;
  }
  return true;
}

// The value that the node's first result equals, or null.
Value* same_as(const Node& node, const Replacements& replacements) {
  if (node.outputs().empty() || !node.output()->is_tensor()) return nullptr;
  const Value* output = node.output();
  const std::string& op = node.op();
  if (op == "aten.native_dropout.default") {
    const auto* train = std::get_if<bool>(&node.arg(2));
    return train && !*train ? node.value(0) : nullptr;
  }
  if (op == "aten.cat.default" || op == "aten.copy.default") {
    // copy(self, src) is src as soon as their types are equal.
    Value* only = nullptr;
    if (op == "aten.copy.default") {
      only = node.value(1);
    } else if (const auto* list = std::get_if<std::vector<Value*>>(&node.arg(0))) {
      if (list->size() == 1) only = list->front();
    }
    return only && only->type() == output->type() ? only : nullptr;
  }
  const auto step = view_step(node, 0);
  if (!step || node.outputs().size() > 1) return nullptr;
  Value* input = node.value(0);
  const bool same_type = input->type() == output->type();
  switch (step->kind) {
    case Kind::kIdentity:
    case Kind::kView:
    case Kind::kExpand:
    case Kind::kBitcast:
      return same_type ? input : nullptr;
    case Kind::kSlice:
      return same_type && step->step == SymInt(1) ? input : nullptr;
    case Kind::kPermute: {
      if (moves_nothing(*step, input, output)) return input;
      // A permutation undone by the next one.
      const Node* producer = input->producer();
      if (!producer) return nullptr;
      const auto first = view_step(*producer, 0);
      if (!first || first->kind != Kind::kPermute) return nullptr;
      std::vector<int64_t> both;
      for (int64_t dim : step->dims) both.push_back(first->dims[static_cast<size_t>(dim)]);
      return is_identity(both) ? replacements.resolve(producer->value(0)) : nullptr;
    }
    default:
      return nullptr;
  }
}

// Whether the condition holds, where that is known.
std::optional<bool> known(const Argument& condition, const ir::SymbolRanges& ranges) {
  if (const auto* literal = std::get_if<bool>(&condition)) return *literal;
  if (const auto* number = std::get_if<SymInt>(&condition)) {
    auto constant = number->constant();
    return constant ? std::optional<bool>(*constant != 0) : std::nullopt;
  }
  const auto* value = std::get_if<Value*>(&condition);
  const Node* node = value && *value ? (*value)->producer() : nullptr;
  if (!node || node->args().size() != 2 || !node->op().starts_with("_operator.")) {
    return std::nullopt;
  }
  const auto* a = std::get_if<SymInt>(&node->arg(0));
  const auto* b = std::get_if<SymInt>(&node->arg(1));
  if (!a || !b) return std::nullopt;
  const ir::Range difference = (*a - *b).bounds(ranges);
  const bool above = difference.min && *difference.min > 0;
  const bool not_below = difference.min && *difference.min >= 0;
  const bool below = difference.max && *difference.max < 0;
  const bool not_above = difference.max && *difference.max <= 0;
  auto decide = [](bool holds, bool fails) {
    return holds || fails ? std::optional<bool>(holds) : std::nullopt;
  };
  const std::string relation = node->op().substr(std::string("_operator.").size());
  if (relation == "gt") return decide(above, not_above);
  if (relation == "ge") return decide(not_below, below);
  if (relation == "lt") return decide(below, not_below);
  if (relation == "le") return decide(not_above, above);
  if (relation == "eq") return decide(not_below && not_above, above || below);
  if (relation == "ne") return decide(above || below, not_below && not_above);
  return std::nullopt;
}

bool is_assertion(const std::string& op) {
  const schema::Trait trait = schema::trait_of(op);
  return trait == schema::Trait::kAssertion || trait == schema::Trait::kConstraint;
}

Status check_metadata(const Node& node) {
  const Value* tensor = node.value(0);
  if (const auto* dtype = std::get_if<DType>(&node.arg(3)); dtype && *dtype != tensor->dtype()) {
    return invalid_file("{} asserts the type {}, but its tensor is {}", describe(node),
                        dtype_name(*dtype), dtype_name(tensor->dtype()));
  }
  if (const auto* sizes = std::get_if<std::vector<SymInt>>(&node.arg(1))) {
    bool fits = sizes->size() == tensor->sizes().size();
    for (size_t i = 0; fits && i < sizes->size(); ++i) {
      const SymInt difference = (*sizes)[i] - tensor->sizes()[i];
      fits = !difference.is_constant() || difference == SymInt(0);
    }
    if (!fits) {
      return invalid_file("{} asserts the sizes {}, but its tensor has {}", describe(node),
                          ir::format_sizes(*sizes), ir::format_sizes(tensor->sizes()));
    }
  }
  return {};
}

// An assertion within a branch may fail: the branch need not be taken.
Status check_assertion(const Node& node, const ir::SymbolRanges& ranges) {
  if (node.op() == "aten._assert_tensor_metadata.default" && node.args().size() > 3) {
    return check_metadata(node);
  }
  if (node.op().find("_scalar") == std::string::npos || node.args().empty()) return {};
  if (known(node.arg(0), ranges) == false) {
    const auto* message = node.args().size() > 1 ? std::get_if<std::string>(&node.arg(1)) : nullptr;
    return invalid_file("{} can never hold: {}", describe(node), message ? *message : "");
  }
  return {};
}

Status clean(Graph& graph, const ir::SymbolRanges& ranges, bool in_branch) {
  Replacements replacements;
  std::vector<Node*> removed;
  for (const auto& node : graph.nodes()) {
    for (Graph* inner : sub_graphs(*node)) SLIPWAY_RETURN_IF_ERROR(clean(*inner, ranges, true));
    for (Argument& argument : node->args()) replacements.resolve(argument);
    if (is_assertion(node->op())) {
      if (!in_branch) SLIPWAY_RETURN_IF_ERROR(check_assertion(*node, ranges));
      if (node->outputs().empty()) removed.push_back(node.get());
    } else if (Value* same = same_as(*node, replacements)) {
      replacements.add(node->output(), same);
      if (node->outputs().size() == 1) removed.push_back(node.get());
    }
  }
  for (Argument& output : graph.outputs()) replacements.resolve(output);
  for (auto it = removed.rbegin(); it != removed.rend(); ++it) graph.erase(*it);
  return {};
}

}  // namespace

Status remove_no_ops(ir::Program& program) {
  Status status = clean(*program.graph, program.ranges, false);
  if (!status.ok()) return status.error().with_context(program.source);
  return {};
}

}  // namespace slipway::passes
