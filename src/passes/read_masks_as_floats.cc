// Masks of int64, for engines that count in fewer bits.
//
// A conversion to float32 keeps the sign, zero, and the order against every number below 2^24 in
// magnitude: larger integers are rounded to floats that are at least as large. What asks no more of
// an integer may ask the float.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/half.h"
#include "ir/op_builder.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/view_step.h"
#include "schema/traits.h"

namespace slipway::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::SymInt;
using ir::Value;

constexpr int64_t kLimit = int64_t{1} << 24;

bool is_int64(const ir::Argument& argument) {
  const auto* value = std::get_if<Value*>(&argument);
  return value && *value && (*value)->is_tensor() && (*value)->dtype() == DType::kInt64;
}

// "ne" of "aten.ne.Scalar" and "aten.not_equal.Scalar"; empty for what compares with no number.
std::string comparison(std::string_view op) {
  static const std::map<std::string_view, const char*> kNames = {
      {"aten.eq.Scalar", "eq"},           {"aten.ne.Scalar", "ne"},
      {"aten.lt.Scalar", "lt"},           {"aten.le.Scalar", "le"},
      {"aten.gt.Scalar", "gt"},           {"aten.ge.Scalar", "ge"},
      {"aten.not_equal.Scalar", "ne"},    {"aten.less.Scalar", "lt"},
      {"aten.less_equal.Scalar", "le"},   {"aten.greater.Scalar", "gt"},
      {"aten.greater_equal.Scalar", "ge"}};
  const auto found = kNames.find(op);
  return found == kNames.end() ? "" : found->second;
}

bool is_conversion(const Node& node) {
  return schema::trait_of(node.op()) == schema::Trait::kConverted;
}

// Products, quotients, sums and differences that PyTorch computes in floating point, because the
// other operand is a float.
bool promotes(const Node& node) {
  for (const std::string_view name : {"add", "sub", "mul", "div"}) {
    const std::string prefix = "aten." + std::string(name);
    if (node.op() == prefix + ".Tensor" || node.op() == prefix + ".Scalar") return true;
  }
  return node.op() == "aten.rsub.Scalar";
}

class Reader {
 public:
  Reader(ir::Program& program, const EngineChoice& engine)
      : graph_(*program.graph), engine_(engine) {}

  void run() {
    for (auto it = graph_.nodes().begin(); it != graph_.nodes().end(); ++it) {
      Node* node = it->get();
      if (node->outputs().size() != 1 || engine_.is_excluded(*node)) continue;
      for (size_t i = 0; i < node->args().size(); ++i) {
        if (is_int64(node->arg(i)) && is_outside(*node, node->value(i))) rewrite(node, i);
      }
    }
    replaced_.apply(graph_);
  }

 private:
  // Whether the engine leaves the node or what moves its operand's elements outside.
  bool is_outside(const Node& node, const Value* operand) const {
    if (!engine_.takes(node)) return true;
    const Node* producer = operand->producer();
    return producer && moves(*producer) && is_outside(*producer, producer->value(0));
  }

  // Makes the node's question about its argument i one about a float.
  void rewrite(Node* node, size_t i) {
    ir::OpBuilder build(graph_, node, node);
    const DType dtype = node->output()->dtype();
    Value* result = nullptr;
    if (i == 0 && (is_conversion(*node) || node->op() == "aten.logical_not.default")) {
      const bool is_exact = dtype == DType::kBool || dtype == DType::kFloat32 || is_half(dtype);
      if (!is_exact) return;
      Value* x = as_float(node, node->value(i));
      if (!x) return;
      if (node->op() == "aten.logical_not.default") {
        result = build.eq(x, 0);
      } else {
        result = dtype == DType::kBool      ? build.ne(x, 0)
                 : dtype == DType::kFloat32 ? x
                                            : build.to_dtype(x, dtype);
      }
    } else if (const std::string name = comparison(node->op()); i == 0 && !name.empty()) {
      const auto* number = std::get_if<SymInt>(&node->arg(1));
      const auto known = number ? number->constant() : std::nullopt;
      if (!known || *known >= kLimit || *known <= -kLimit) return;
      Value* x = as_float(node, node->value(i));
      if (!x) return;
      result = build.call("aten." + name + ".Scalar", {x, *number}, node->output()->type());
    } else if (promotes(*node) && dtype == DType::kFloat32) {
      if (Value* x = as_float(node, node->value(i))) node->args()[i] = x;
      return;
    } else {
      return;
    }
    replaced_.add(node->output(), result);
  }

  // The value in float32, made before the node and before what moves its elements; null where the
  // engine does not take that.
  Value* as_float(Node* node, Value* value) {
    if (const auto known = floats_.find(value); known != floats_.end()) return known->second;
    Value* made = nullptr;
    const Node* producer = value->producer();
    ir::OpBuilder build(graph_, node, producer ? producer : node);
    if (producer && moves(*producer)) {
      if (Value* from = as_float(node, producer->value(0))) {
        std::vector<ir::Argument> args = producer->args();
        args[0] = from;
        ir::TensorType type = value->type();
        type.dtype = DType::kFloat32;
        made = is_conversion(*producer)
                   ? from
                   : build.call(producer->op(), std::move(args), std::move(type));
      }
    } else {
      made = build.to_dtype(value, DType::kFloat32);
      if (!engine_.takes(*made->producer())) {
        graph_.erase(made->producer());
        made = nullptr;
      }
    }
    floats_[value] = made;
    return made;
  }

  static bool moves(const Node& node) {
    if (node.args().empty() || !is_int64(node.arg(0)) || node.outputs().size() != 1) return false;
    const auto step = view_step(node, 0);
    return step && step->kind != ViewStep::Kind::kBitcast &&
           step->kind != ViewStep::Kind::kAsStrided;
  }

  Graph& graph_;
  const EngineChoice& engine_;
  std::unordered_map<const Value*, Value*> floats_;
  Replacements replaced_;
};

}  // namespace

Status read_masks_as_floats(ir::Program& program, const EngineChoice& engine) {
  Reader(program, engine).run();
  return remove_dead_code(program);
}

}  // namespace slipway::passes
