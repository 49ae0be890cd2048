#include <map>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/try.h"
#include "pte/emitter/method_emitter.h"

namespace slipway::pte {

namespace {

// What the archive calls an operator on numbers, and ExecuTorch's primitive.
const std::map<std::string_view, std::string_view>& primitives() {
  static const std::map<std::string_view, std::string_view> kPrimitives = {
      {"_operator.add", "add"},
      {"_operator.sub", "sub"},
      {"_operator.mul", "mul"},
      {"_operator.truediv", "truediv"},
      {"_operator.floordiv", "floordiv"},
      {"_operator.mod", "mod"},
      {"_operator.neg", "neg"},
      {"_operator.eq", "eq"},
      {"_operator.gt", "gt"},
      {"_operator.ge", "ge"},
      {"_operator.lt", "lt"},
      {"_operator.le", "le"},
      {"_operator.not_", "sym_not"},
      {"math.ceil", "ceil"},
      {"math.trunc", "trunc"},
      {"builtins.round", "round"},
      {"_operator.round", "round"},
      {"torch.sym_float", "sym_float"},
      {"torch.sym_int", "sym_int"},
      {"torch.sym_max", "sym_max"},
      {"torch.sym_min", "sym_min"},
      {"torch.sym_not", "sym_not"},
      {"torch.sym_ite", "sym_ite"},
  };
  return kPrimitives;
}

constexpr int64_t kMaxExponent = 64;

}  // namespace

bool MethodEmitter::is_symbolic(const ir::Node& node) const {
  return !node.outputs().empty() && !node.output()->is_tensor() && node.op() != "higher_order.cond";
}

int32_t MethodEmitter::prim(const std::string& op, std::vector<int32_t> args) {
  int32_t result = plan_.add(int64_t{0});
  args.push_back(result);
  plan_.call("executorch_prim::" + op, "Scalar", std::move(args));
  return result;
}

Result<int32_t> MethodEmitter::number(const ir::Argument& argument) {
  if (const auto* integer = std::get_if<ir::SymInt>(&argument)) return symbols_.value(*integer);
  if (const auto* real = std::get_if<double>(&argument)) return plan_.real(*real);
  if (const auto* flag = std::get_if<bool>(&argument)) return plan_.boolean(*flag);
  if (const auto* value = std::get_if<ir::Value*>(&argument); value && !(*value)->is_tensor()) {
    if (values_.contains(*value)) return values_.at(*value);
    if ((*value)->kind() == ir::ValueKind::kSymInt) return symbols_.value((*value)->expression());
    return index_of(*value);
  }
  return unsupported("{} is not a number that ExecuTorch can compute with", ir::print(argument));
}

Status MethodEmitter::emit_symbolic(const ir::Node& node) {
  const ir::Value* result = node.output();
  // Integers are computed from sizes where they are needed; only those that are data are not.
  bool is_integer = result->kind() == ir::ValueKind::kSymInt;
  if (is_integer && symbols_.can_compute(result->expression())) return {};

  const std::string& op = node.op();
  int32_t index = 0;
  if (op == "aten._local_scalar_dense.default" || op == "aten.item.default") {
    SLIPWAY_ASSIGN_OR_RETURN(int32_t tensor, index_of(node.value(0)));
    index = plan_.add(int64_t{0});
    plan_.call("aten::_local_scalar_dense", "", {tensor, index});
  } else if (op == "aten.sym_size.int") {
    SLIPWAY_ASSIGN_OR_RETURN(int32_t tensor, index_of(node.value(0)));
    SLIPWAY_ASSIGN_OR_RETURN(int32_t dim, number(node.arg(1)));
    index = plan_.add(int64_t{0});
    plan_.call_on_sizes("aten::sym_size", "int", {tensor, dim, index});
  } else if (op == "aten.sym_numel.default") {
    SLIPWAY_ASSIGN_OR_RETURN(int32_t tensor, index_of(node.value(0)));
    index = plan_.add(int64_t{0});
    plan_.call_on_sizes("aten::sym_numel", "", {tensor, index});
  } else {
    std::vector<int32_t> args;
    for (const ir::Argument& argument : node.args()) {
      SLIPWAY_ASSIGN_OR_RETURN(int32_t arg, number(argument));
      args.push_back(arg);
    }
    auto primitive = primitives().find(op);
    if (primitive != primitives().end()) {
      index = prim(std::string(primitive->second), std::move(args));
    } else if (op == "_operator.ne") {
      index = prim("sym_not", {prim("eq", std::move(args))});
    } else if (op == "_operator.and_" && args.size() == 2) {
      index = prim("sym_ite", {args[0], args[1], plan_.boolean(false)});
    } else if (op == "_operator.or_" && args.size() == 2) {
      index = prim("sym_ite", {args[0], plan_.boolean(true), args[1]});
    } else if (op == "math.floor" && args.size() == 1) {
      index = prim("sym_int", {prim("floordiv", {args[0], plan_.integer(1)})});
    } else if (op == "_operator.pow" && args.size() == 2) {
      const auto* exponent = std::get_if<ir::SymInt>(&node.arg(1));
      auto power = exponent ? exponent->constant() : std::nullopt;
      if (!power || *power < 1 || *power > kMaxExponent) {
        return unsupported("only powers from 1 to {} are computed at run time", kMaxExponent);
      }
      index = args[0];
      for (int64_t i = 1; i < *power; ++i) index = prim("mul", {index, args[0]});
    } else {
      return unsupported("no primitive of ExecuTorch computes it; rewrite the model without it");
    }
  }
  values_[result] = index;
  if (is_integer) symbols_.define(result->expression(), index);
  return {};
}

}  // namespace slipway::pte
