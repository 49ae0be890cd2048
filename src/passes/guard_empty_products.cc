// Matrix products over sizes that may be 0.

#include "base/try.h"
#include "ir/op_builder.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace slipway::passes {
namespace {

using ir::Node;
using ir::SymInt;
using ir::Value;

Value* guarded_product(ir::OpBuilder& build, const Node& node, const ir::SymbolRanges& ranges) {
  const bool is_linear = node.op() == "aten.linear.default";
  if (!is_linear && node.op() != "aten.mm.default" && node.op() != "aten.bmm.default") {
    return nullptr;
  }
  const SymInt& inner = node.value(0)->sizes().back();
  if (inner.bounds(ranges).min.value_or(0) > 0) return nullptr;
  const ir::TensorType& type = node.output()->type();
  Value* nothing =
      is_linear && !node.is_none(2) ? node.value(2) : build.scalar_tensor(0, type.dtype);
  if (inner.constant()) return build.expand(nothing, type.sizes);
  Value* product = build.call(node.op(), node.args(), type);
  Value* some = build.gt(build.scalar_tensor(inner, DType::kInt64), 0);
  return build.where(some, product, nothing);
}

}  // namespace

Status guard_empty_products(ir::Program& program) {
  SLIPWAY_RETURN_IF_ERROR(
      rewrite_nodes(*program.graph, [&](ir::OpBuilder& build, const Node& node) {
        return guarded_product(build, node, program.ranges);
      }));
  return remove_dead_code(program);
}

}  // namespace slipway::passes
