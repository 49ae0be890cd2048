// Matrix products over sizes that may be 0.
#include <iterator>
#include <string>
#include <vector>

#include "base/try.h"
#include "ir/op_builder.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace slipway::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::SymInt;
using ir::Value;

Status guard(Graph& graph, const ir::SymbolRanges& ranges) {
  Replacements replacements;
  for (auto it = graph.nodes().begin(); it != graph.nodes().end();) {
    Node* node = (it++)->get();
    for (Graph* inner : sub_graphs(*node)) SLIPWAY_RETURN_IF_ERROR(guard(*inner, ranges));
    const bool is_linear = node->op() == "aten.linear.default";
    if (!is_linear && node->op() != "aten.mm.default" && node->op() != "aten.bmm.default") continue;
    const SymInt& inner = node->value(0)->sizes().back();
    if (inner.bounds(ranges).min.value_or(0) > 0) continue;
    ir::OpBuilder build(graph, node, node);
    const ir::TensorType& type = node->output()->type();
    Value* nothing =
        is_linear && !node->is_none(2) ? node->value(2) : build.scalar_tensor(0, type.dtype);
    if (inner.constant()) {
      replacements.add(node->output(), build.expand(nothing, type.sizes));
    } else {
      Value* product = build.call(node->op(), node->args(), type);
      Value* some = build.gt(build.scalar_tensor(inner, DType::kInt64), 0);
      replacements.add(node->output(), build.where(some, product, nothing));
    }
    if (!build.status().ok()) return build.status();
  }
  replacements.apply(graph);
  return {};
}

}  // namespace

Status guard_empty_products(ir::Program& program) {
  SLIPWAY_RETURN_IF_ERROR(guard(*program.graph, program.ranges));
  return remove_dead_code(program);
}

}  // namespace slipway::passes
