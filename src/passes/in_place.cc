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
#include "schema/operator_name.h"
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
// Those whose functional form is named otherwise.
const std::map<std::string_view, std::string_view> kFunctions = {
    {"aten.pow_.Tensor", "aten.pow.Tensor_Tensor"},
    {"aten.pow_.Scalar", "aten.pow.Tensor_Scalar"},
    {"aten.float_power_.Tensor", "aten.float_power.Tensor_Tensor"},
    {"aten.float_power_.Scalar", "aten.float_power.Tensor_Scalar"},
    {"aten.floor_divide_.Tensor", "aten.floor_divide.default"},
    {"aten.ldexp_.default", "aten.ldexp.Tensor"},
    {"aten.bernoulli_.float", "aten.bernoulli.p"},
    {"aten.normal_.default", "aten.normal_functional.default"},
    {"aten.__iand__.Scalar", "aten.bitwise_and.Scalar"},
    {"aten.__iand__.Tensor", "aten.bitwise_and.Tensor"},
    {"aten.__ior__.Scalar", "aten.bitwise_or.Scalar"},
    {"aten.__ior__.Tensor", "aten.bitwise_or.Tensor"},
    {"aten.__ixor__.Scalar", "aten.bitwise_xor.Scalar"},
    {"aten.__ixor__.Tensor", "aten.bitwise_xor.Tensor"},
    {"aten.__ilshift__.Scalar", "aten.bitwise_left_shift.Tensor_Scalar"},
    {"aten.__ilshift__.Tensor", "aten.bitwise_left_shift.Tensor"},
    {"aten.__irshift__.Scalar", "aten.bitwise_right_shift.Tensor_Scalar"},
    {"aten.__irshift__.Tensor", "aten.bitwise_right_shift.Tensor"}};

// "aten.add_.Tensor" -> "aten.add.Tensor"; empty for an operator that has no such form.
std::string functional_op(const std::string& op) {
  if (auto function = kFunctions.find(op); function != kFunctions.end()) {
    return std::string(function->second);
  }
  const std::string_view name = schema::base_name(op);
  if (!name.ends_with('_')) return {};
  std::string result = op;
  result.erase(static_cast<size_t>(name.data() - op.data()) + name.size() - 1, 1);
  return result;
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

Result<Value*> functional_node(const Node& node, OpBuilder& builder) {
  const std::string op = functional_op(node.op());
  const schema::Schema* schema = schema::find_operator(op);
  std::vector<Argument> args = node.args();
  if (!schema || schema->parameters.size() != args.size()) {
    return unsupported("{} has no functional form that Slipway knows", describe(node));
  }
  const Value* self = node.value(0);
  const DType dtype = natural_dtype(schema::base_name(op), args, self);
  return builder.to_dtype(builder.call(op, std::move(args), dtype, self->sizes()), self->dtype());
}

// The value on the diagonal, which starts anew below a square where `wrap` is given.
Result<Value*> fill_diagonal(const Node& node, OpBuilder& builder) {
  Value* self = node.value(0);
  const auto value = ir::to_scalar(node.arg(1));
  const auto* wrap = std::get_if<bool>(&node.arg(2));
  if (self->rank() != 2 || !value || !wrap) {
    return unsupported("{} fills the diagonal of something that is not a matrix", describe(node));
  }
  const SymInt& rows = self->sizes()[0];
  const SymInt& columns = self->sizes()[1];
  Value* distance = builder.sub(builder.view(builder.arange(columns), {1, columns}),
                                builder.view(builder.arange(rows), {rows, 1}));
  if (*wrap) distance = builder.remainder(distance, columns + 1);
  return builder.masked_fill(self, builder.eq(distance, 0), *value);
}

Result<Value*> compute(const Node& node, OpBuilder& builder) {
  const std::string_view name = schema::base_name(node.op());
  Value* self = node.value(0);
  if (is_dropout(node.op()) && is_inactive_dropout(node)) return self;
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
  if (name == "fill_diagonal_") return fill_diagonal(node, builder);
  return functional_node(node, builder);
}

}  // namespace

Result<bool> is_in_place(const Node& node) {
  // Whether they write to the running statistics is not what their schemas say.
  const std::string_view name = schema::base_name(node.op());
  const bool is_legit = node.op() == "aten._native_batch_norm_legit.default";
  if (node.op().starts_with("aten.") && (name == "batch_norm" || name == "native_batch_norm" ||
                                         name == "instance_norm" || is_legit)) {
    const auto* training = node.args().size() > 5 ? std::get_if<bool>(&node.arg(5)) : nullptr;
    if (training && *training && !node.is_none(3)) {
      return unsupported("{} updates its running statistics; export the model after model.eval()",
                         describe(node));
    }
    if (is_legit && training != nullptr) return false;
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
