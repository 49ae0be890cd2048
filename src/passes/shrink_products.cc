// Batched products with a matrix that is repeated over the batch.
#include <optional>
#include <vector>

#include "base/try.h"
#include "ir/op_builder.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/view_step.h"

namespace slipway::passes {
namespace {

using ir::Graph;
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

Status shrink(Graph& graph) {
  Replacements replacements;
  std::vector<Node*> removed;
  for (auto it = graph.nodes().begin(); it != graph.nodes().end(); ++it) {
    Node* node = it->get();
    for (Graph* inner : sub_graphs(*node)) SLIPWAY_RETURN_IF_ERROR(shrink(*inner));
    if (node->op() != "aten.bmm.default") continue;
    Value* left = node->value(0);
    Value* right = node->value(1);
    Value* const repeated_left = repeated_matrix(left);
    Value* const repeated_right = repeated_matrix(right);
    if ((repeated_left == nullptr) == (repeated_right == nullptr)) continue;
    ir::OpBuilder build(graph, node, node);
    if (repeated_left) left = as_matrix(build, repeated_left);
    if (repeated_right) right = as_matrix(build, repeated_right);
    Value* product = build.call("aten.matmul.default", {left, right}, node->output()->type());
    if (!build.status().ok()) return build.status();
    replacements.add(node->output(), product);
    removed.push_back(node);
  }
  replacements.apply(graph);
  for (auto it = removed.rbegin(); it != removed.rend(); ++it) graph.erase(*it);
  return {};
}

}  // namespace

Status shrink_products(ir::Program& program) { return shrink(*program.graph); }

}  // namespace slipway::passes
