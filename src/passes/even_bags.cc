// Bags of equally many entries, as a matrix of indices gives them: their rows are looked up, and
// reduced along a dimension.
#include <limits>
#include <optional>
#include <vector>

#include "base/half.h"
#include "ir/arguments.h"
#include "ir/op_builder.h"
#include "ir/queries.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace slipway::passes {
namespace {

using ir::Node;
using ir::SymInt;
using ir::Value;

enum Mode : uint8_t { kSum, kMean, kMax };

// The step of offsets that are 0, step, 2 step, ...; nothing for others.
std::optional<SymInt> step_of(const Value* offsets) {
  const Node* node = offsets->producer();
  if (!node) return std::nullopt;
  const ir::Arguments arguments(*node);
  if (node->op() == "aten.arange.default") return SymInt(1);
  if (!node->op().starts_with("aten.arange.start") || arguments.integer(0) != SymInt(0)) {
    return std::nullopt;
  }
  return node->op() == "aten.arange.start" ? SymInt(1) : arguments.integer(2);
}

// embedding_bag(weight, indices, offsets, scale_grad, mode, sparse, per_sample_weights,
// include_last_offset, padding_idx), where each bag has so many entries; or null.
Value* without_bags(ir::OpBuilder& build, const Node& node, const ir::SymbolRanges& ranges) {
  if (!node.op().starts_with("aten.embedding_bag.") &&
      !node.op().starts_with("aten._embedding_bag")) {
    return nullptr;
  }
  const ir::Arguments arguments(node);
  Value* weight = arguments.tensor(0);
  Value* index = arguments.tensor(1);
  Value* offsets = arguments.tensor(2);
  for (size_t i = 1; i < node.outputs().size(); ++i) {
    if (ir::is_used(build.graph(), node.output(i))) return nullptr;
  }
  if (!weight || !index || !offsets || index->rank() != 1 || weight->rank() != 2 ||
      arguments.flag(7).value_or(false)) {
    return nullptr;
  }
  const auto step = step_of(offsets);
  const SymInt bags = node.output()->sizes().at(0);
  if (!step || step->bounds(ranges).min.value_or(0) < 1 || bags * *step != index->sizes().at(0)) {
    return nullptr;
  }
  const int64_t mode = arguments.constant(4).value_or(kSum);
  Value* ignored = nullptr;
  if (auto padding = arguments.constant(8)) {
    // Only aten.embedding_bag counts a negative one from the end; of the others it is none.
    const bool from_end = node.op() == "aten.embedding_bag.padding_idx";
    if (*padding >= 0) ignored = build.eq(index, *padding);
    if (*padding < 0 && from_end) ignored = build.eq(index, weight->sizes().at(0) + *padding);
  }
  // Sums of halves are rounded once.
  const DType result = weight->dtype();
  const DType dtype = is_half(result) ? DType::kFloat32 : result;
  Value* rows = build.to_dtype(build.embedding(weight, index), dtype);
  if (Value* factors = arguments.tensor(6)) {
    rows = build.mul(rows, build.unsqueeze(build.to_dtype(factors, dtype), 1));
  }
  constexpr double kLeast = -std::numeric_limits<double>::infinity();
  if (ignored) {
    rows = build.masked_fill(rows, build.unsqueeze(ignored, 1), mode == kMax ? kLeast : 0.0);
  }
  rows = build.view(rows, {bags, *step, weight->sizes().at(1)});
  Value* reduced = mode == kMax                ? build.amax(rows, {1})
                   : mode == kMean && !ignored ? build.mean(rows, {1})
                                               : build.sum(rows, {1});
  if (ignored && mode != kSum) {
    Value* counted = build.view(build.to_dtype(build.logical_not(ignored), dtype), {bags, *step});
    Value* count = build.sum(counted, {1}, true);
    reduced = mode == kMax ? build.masked_fill(reduced, build.eq(count, 0), 0.0)
                           : build.div(reduced, build.clamp(count, 1.0, std::nullopt));
  }
  return build.to_dtype(reduced, result);
}

}  // namespace

Status reduce_even_bags(ir::Program& program) {
  return rewrite_nodes(*program.graph, [&](ir::OpBuilder& build, const Node& node) {
    return without_bags(build, node, program.ranges);
  });
}

}  // namespace slipway::passes
