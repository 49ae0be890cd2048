#include "onnx/ops/kv_cache.h"

#include "onnx/ops/common.h"

namespace slipway::onnx {

namespace {

using ir::SymInt;

bool is_one(const ir::Node& node, size_t i) {
  return i >= node.args().size() || node.arg(i) == ir::Argument(SymInt(1));
}

// Of arange: one that never starts below 0, where asked for.
bool starts_well(const ir::Node& node, bool from_zero_on, const ir::SymbolRanges& ranges) {
  if (!from_zero_on || node.op() == "aten.arange.default") return true;
  const auto* start = std::get_if<SymInt>(&node.arg(0));
  return start && start->bounds(ranges).min.value_or(-1) >= 0;
}

bool is_single(const ir::Argument& argument) {
  if (std::holds_alternative<SymInt>(argument)) return true;
  const auto* value = std::get_if<ir::Value*>(&argument);
  return value && *value && (*value)->is_tensor() && (*value)->type().numel() == SymInt(1);
}

// Whether integers go up by 1, one after the other: a range, or a range moved by a number.
bool follow_each_other(const ir::Argument& argument, bool from_zero_on,
                       const ir::SymbolRanges& ranges) {
  const auto* value = std::get_if<ir::Value*>(&argument);
  if (!value || !*value || !(*value)->is_tensor() || !is_integral((*value)->dtype())) return false;
  const ir::Node* node = (*value)->producer();
  if (!node || (*value)->rank() != 1) return false;
  const std::string& op = node->op();
  if (op == "aten.arange.default" || op == "aten.arange.start" || op == "aten.arange.start_step") {
    const bool has_step = op == "aten.arange.start_step";
    return (!has_step || is_one(*node, 2)) && starts_well(*node, from_zero_on, ranges);
  }
  if (op == "aten.to.dtype" || op == "aten._to_copy.default") {
    return follow_each_other(node->arg(0), from_zero_on, ranges);
  }
  if (op != "aten.add.Tensor" && op != "aten.add.Scalar") return false;
  if (from_zero_on || !is_one(*node, 2)) return false;
  const ir::Argument& a = node->arg(0);
  const ir::Argument& b = node->arg(1);
  return (is_single(b) && follow_each_other(a, false, ranges)) ||
         (is_single(a) && follow_each_other(b, false, ranges));
}

// What engines with caches take: [batch, heads, positions, width], with a fixed number of
// positions.
bool is_cache(const ir::TensorType& type, int64_t axis) {
  return type.sizes.size() == 4 && axis == 2 && type.sizes.at(2).is_constant() &&
         (type.dtype == DType::kFloat32 || type.dtype == DType::kFloat16 ||
          type.dtype == DType::kBFloat16);
}

}  // namespace

std::optional<Ref> update_cache(Context& c, int64_t axis, const ir::Value* position_values,
                                const Ref& positions, const Ref& updates, bool wraps) {
  if (!c.fused("TensorScatter") || !is_cache(c.type(0), axis) || !c.changes_buffer()) return {};
  const bool is_one = position_values->type().numel() == SymInt(1);
  if (!is_one && !follow_each_other(const_cast<ir::Value*>(position_values), wraps, c.ranges())) {
    return {};
  }
  const Sizes& sizes = c.type(0).sizes;
  Ref start = is_one ? positions : c.slice(positions, 0, 0, 1);
  if (is_one && wraps) {
    start = c.where(c.compare("Less", start, 0), c.add(start, c.length(sizes.at(2))), start);
  }
  const Ref starts = c.op("Expand", {start, c.length(sizes.at(0))});
  return c.op("TensorScatter", {c.tensor(0), updates, starts},
              {{"axis", int64_t{-2}}, {"mode", std::string("linear")}});
}

}  // namespace slipway::onnx
