#include "passes/in_place.h"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/try.h"
#include "ir/promotion.h"
#include "passes/rewrite.h"
#include "passes/view_step.h"
#include "schema/schema.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::Node;
using ir::OpBuilder;
using ir::SymInt;
using ir::Value;

const std::set<std::string_view> kComparisons = {
    "eq",        "ne",          "lt",         "le",          "gt",
    "ge",        "less",        "less_equal", "greater",     "greater_equal",
    "not_equal", "logical_and", "logical_or", "logical_xor", "logical_not"};
// Those whose tensors may differ in type.
const std::set<std::string_view> kPromoting = {"add",
                                               "sub",
                                               "mul",
                                               "div",
                                               "subtract",
                                               "multiply",
                                               "divide",
                                               "true_divide",
                                               "pow",
                                               "remainder",
                                               "fmod",
                                               "floor_divide",
                                               "atan2",
                                               "arctan2",
                                               "lerp",
                                               "addcmul",
                                               "addcdiv",
                                               "hypot",
                                               "copysign",
                                               "xlogy",
                                               "gcd",
                                               "lcm",
                                               "ldexp",
                                               "heaviside",
                                               "nextafter",
                                               "clamp",
                                               "clamp_min",
                                               "clamp_max",
                                               "clip",
                                               "bitwise_and",
                                               "bitwise_or",
                                               "bitwise_xor",
                                               "bitwise_left_shift",
                                               "bitwise_right_shift"};
// Python's in-place operators and their functions; a number is the second of the two overloads.
struct Dunder {
  std::string_view name;
  std::string_view scalar_overload;
};
const std::map<std::string_view, Dunder> kDunders = {
    {"__iand__", {"bitwise_and", "Scalar"}},
    {"__ior__", {"bitwise_or", "Scalar"}},
    {"__ixor__", {"bitwise_xor", "Scalar"}},
    {"__ilshift__", {"bitwise_left_shift", "Tensor_Scalar"}},
    {"__irshift__", {"bitwise_right_shift", "Tensor_Scalar"}}};

// "aten.add_.Tensor" -> {"add_", "Tensor"}
std::pair<std::string_view, std::string_view> split_name(std::string_view op) {
  op.remove_prefix(op.find('.') + 1);
  const size_t dot = op.find('.');
  return {op.substr(0, dot), dot == std::string_view::npos ? "default" : op.substr(dot + 1)};
}

DType natural_dtype(std::string_view name, const std::vector<Argument>& args, const Value* self) {
  if (kComparisons.contains(name)) return DType::kBool;
  if (name == "cumsum" || name == "cumprod") {
    for (const Argument& argument : args) {
      if (const auto* dtype = std::get_if<DType>(&argument)) return *dtype;
    }
    return ir::accumulation_type(self->dtype());
  }
  if (!kPromoting.contains(name)) return self->dtype();
  ir::ResultType type;
  for (const Argument& argument : args) {
    ir::Graph::for_each_value(argument, [&type](const Value* value) {
      if (value->is_tensor()) type.add(value->type());
    });
  }
  return type.get();
}

Result<Value*> functional_node(const Node& node, std::string_view base, std::string_view overload,
                               OpBuilder& builder) {
  const std::string op = fmt::format("aten.{}.{}", base, overload);
  const schema::Schema* schema = schema::find_operator(op);
  std::vector<Argument> args = node.args();
  if (!schema || schema->parameters.size() != args.size()) {
    return unsupported("{} has no functional form that Slipway knows", describe(node));
  }
  const Value* self = node.value(0);
  const DType dtype = natural_dtype(base, args, self);
  return builder.to_dtype(builder.call(op, std::move(args), dtype, self->sizes()), self->dtype());
}

Result<Value*> compute(const Node& node, OpBuilder& builder) {
  auto [name, overload] = split_name(node.op());
  Value* self = node.value(0);
  if (is_random(node.op()) || (is_dropout(node.op()) && !is_inactive_dropout(node))) {
    return unsupported(
        "{} draws random numbers, which Slipway does not support; export the model after "
        "model.eval()",
        describe(node));
  }
  if (is_dropout(node.op())) return self;
  if (name == "zero_") return builder.full(self->sizes(), 0, self->dtype());
  if (name == "copy_" || name == "fill_") {
    if (auto scalar = ir::to_scalar(node.arg(1))) {
      return builder.full(self->sizes(), *scalar, self->dtype());
    }
    return builder.expand(builder.to_dtype(node.value(1), self->dtype()), self->sizes());
  }
  if (name == "_index_put_impl_") {
    const auto* indices = std::get_if<std::vector<Value*>>(&node.arg(1));
    const auto* accumulate = std::get_if<bool>(&node.arg(3));
    if (!indices || !accumulate) return unsupported("{}: unknown arguments", describe(node));
    return builder.index_put(self, *indices, node.value(2), *accumulate);
  }
  if (auto dunder = kDunders.find(name); dunder != kDunders.end()) {
    if (overload == "Scalar") overload = dunder->second.scalar_overload;
    return functional_node(node, dunder->second.name, overload, builder);
  }
  if (!name.ends_with('_')) {
    return unsupported("{} writes to its first argument in a way that Slipway does not know",
                       describe(node));
  }
  name.remove_suffix(1);
  return functional_node(node, name, overload, builder);
}

}  // namespace

Result<bool> is_in_place(const Node& node) {
  // Their schemas don't say that they write to the running statistics.
  const auto [name, overload] = split_name(node.op());
  if (node.op().starts_with("aten.") &&
      (name == "batch_norm" || name == "native_batch_norm" || name == "instance_norm")) {
    const auto* training = node.args().size() > 5 ? std::get_if<bool>(&node.arg(5)) : nullptr;
    if (training && *training && !node.is_none(3)) {
      return unsupported("{} updates its running statistics; export the model after model.eval()",
                         describe(node));
    }
  }
  const schema::Schema* schema = schema::find_operator(node.op());
  if (!schema) return false;
  bool in_place = false;
  for (size_t i = 0; i < schema->parameters.size(); ++i) {
    const schema::Parameter& parameter = schema->parameters[i];
    if (!parameter.type.is_mutable()) continue;
    if (i > 0 || parameter.is_out) {
      return unsupported("{} writes to its argument `{}`, which Slipway does not support",
                         describe(node), parameter.name);
    }
    in_place = true;
  }
  if (in_place && (!std::holds_alternative<Value*>(node.arg(0)) || !node.value(0)->is_tensor())) {
    return unsupported("{} writes to something that is not a tensor", describe(node));
  }
  return in_place;
}

Result<Value*> in_place_result(const Node& node, OpBuilder& builder) {
  SLIPWAY_ASSIGN_OR_RETURN(Value * result, compute(node, builder));
  if (!builder.status().ok()) return builder.status().error().with_context(describe(node));
  return result;
}

}  // namespace slipway::passes
