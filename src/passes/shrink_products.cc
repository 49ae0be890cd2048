// Operators that take what is repeated as it was before.
#include <algorithm>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "ir/op_builder.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/view_step.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::Node;
using ir::SymInt;
using ir::Value;
using Kind = ViewStep::Kind;

// Whether the last two sizes of both are equal.
bool same_matrix(const Value* a, const Value* b) {
  const size_t m = a->sizes().size();
  const size_t n = b->sizes().size();
  return m >= 2 && n >= 2 && a->sizes()[m - 1] == b->sizes()[n - 1] &&
         a->sizes()[m - 2] == b->sizes()[n - 2];
}

// What is repeated to give the value, all of whose dimensions but the last two are 1; or null.
Value* repeated_matrix(const Value* value) {
  const Node* node = value->producer();
  auto step = node ? view_step(*node, 0) : std::nullopt;
  // A view that joins the dimensions of the batch.
  while (step && step->kind == Kind::kView && same_matrix(node->value(0), node->output())) {
    node = node->value(0)->producer();
    step = node ? view_step(*node, 0) : std::nullopt;
  }
  if (!step || step->kind != Kind::kExpand || !same_matrix(node->value(0), node->output())) {
    return nullptr;
  }
  const std::vector<SymInt>& sizes = node->value(0)->sizes();
  for (size_t i = 0; i + 2 < sizes.size(); ++i) {
    if (sizes[i] != SymInt(1)) return nullptr;
  }
  return node->value(0);
}

Value* as_matrix(ir::OpBuilder& build, Value* value) {
  const std::vector<SymInt>& sizes = value->sizes();
  if (sizes.size() == 2) return value;
  return build.view(value, {sizes[sizes.size() - 2], sizes.back()});
}

// Whether the operand has the whole batch of the product.
bool has_batch(const Value* operand, const Value* product) {
  const std::vector<SymInt>& sizes = product->sizes();
  return operand->sizes().size() == sizes.size() &&
         std::equal(sizes.begin(), sizes.end() - 2, operand->sizes().begin());
}

// A product with the matrix itself in place of one with the matrix as often as it is repeated.
Value* as_product(ir::OpBuilder& build, const Node& node) {
  Value* left = node.value(0);
  Value* right = node.value(1);
  Value* const repeated_left = repeated_matrix(left);
  Value* const repeated_right = repeated_matrix(right);
  if ((repeated_left == nullptr) == (repeated_right == nullptr)) return nullptr;
  if (!has_batch(repeated_left ? right : left, node.output())) return nullptr;
  if (repeated_left) left = as_matrix(build, repeated_left);
  if (repeated_right) right = as_matrix(build, repeated_right);
  return build.call("aten.matmul.default", {left, right}, node.output()->type());
}

// Whether a tensor among the arguments has the size, which the others are repeated to, in each
// dimension.
bool spans(const std::vector<Argument>& arguments, const std::vector<SymInt>& sizes) {
  for (size_t from_last = 1; from_last <= sizes.size(); ++from_last) {
    const SymInt& size = sizes[sizes.size() - from_last];
    const bool has_size =
        std::any_of(arguments.begin(), arguments.end(), [&](const Argument& argument) {
          const auto* value = std::get_if<Value*>(&argument);
          if (!value || (*value)->sizes().size() < from_last) return false;
          return (*value)->sizes()[(*value)->sizes().size() - from_last] == size;
        });
    if (!has_size) return false;
  }
  return true;
}

// A choice between what is repeated, which it repeats itself.
Value* as_choice(ir::OpBuilder& build, const Node& node) {
  std::vector<Argument> arguments = node.args();
  bool is_changed = false;
  for (Argument& argument : arguments) {
    const auto* value = std::get_if<Value*>(&argument);
    const Node* producer = value ? (*value)->producer() : nullptr;
    const auto step = producer ? view_step(*producer, 0) : std::nullopt;
    if (!step || step->kind != Kind::kExpand) continue;
    const Argument wide = std::exchange(argument, producer->value(0));
    const bool spans_all = spans(arguments, node.output()->sizes());
    if (!spans_all) argument = wide;
    is_changed = is_changed || spans_all;
  }
  if (!is_changed) return nullptr;
  return build.call(node.op(), arguments, node.output()->type());
}

Value* shrunk(ir::OpBuilder& build, const Node& node) {
  const bool is_product = node.op() == "aten.bmm.default" ||
                          (node.op() == "aten.matmul.default" && node.output()->rank() > 2);
  if (is_product) return as_product(build, node);
  const bool is_choice = node.op() == "aten.where.self" || node.op() == "aten.where.ScalarOther" ||
                         node.op() == "aten.where.ScalarSelf";
  return is_choice ? as_choice(build, node) : nullptr;
}

}  // namespace

Status shrink_products(ir::Program& program) { return rewrite_nodes(*program.graph, shrunk); }

}  // namespace slipway::passes
