#include "passes/kernel_types.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "schema/kernel_types.h"
#include "schema/schema.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::Node;
using ir::Value;

bool is_copy(const Node& node) { return node.op() == "aten._to_copy.default"; }

const schema::Schema* kernel_of(const Node& node) {
  return is_copy(node) ? schema::find_kernel("dim_order_ops::_to_dim_order_copy", "out")
                       : schema::kernel_for(node.op());
}

// The type of the tensors that the node computes with; nothing where there are none.
struct Operands {
  std::optional<DType> dtype;
  bool is_mixed = false;  // they are of several types, which elementwise kernels promote
};

Operands operands(const Node& node) {
  Operands result;
  const schema::Schema* op = schema::find_operator(node.op());
  for (size_t i = 0; i < node.args().size(); ++i) {
    if (op && i < op->parameters.size() && schema::fixed_type_of(op->parameters[i].name)) continue;
    ir::Graph::for_each_value(node.arg(i), [&](const Value* value) {
      if (!value->is_tensor()) return;
      result.is_mixed = result.is_mixed || (result.dtype && *result.dtype != value->dtype());
      result.dtype = value->dtype();
    });
  }
  return result;
}

bool is_complex_call(const Node& node, const Operands& of) {
  return is_complex(node.output()->dtype()) || (of.dtype && is_complex(*of.dtype));
}

// From the narrowest on.
std::span<const DType> wider(DType dtype) {
  static constexpr DType kOfHalves[] = {DType::kFloat32};
  static constexpr DType kOfIntegers[] = {DType::kInt32, DType::kInt64};
  switch (dtype) {
    case DType::kFloat16:
    case DType::kBFloat16:
      return kOfHalves;
    case DType::kBool:
    case DType::kUInt8:
    case DType::kInt8:
    case DType::kInt16:
    case DType::kUInt16:
      return kOfIntegers;
    case DType::kInt32:
    case DType::kUInt32:
      return std::span(kOfIntegers).subspan(1);
    default:
      return {};
  }
}

}  // namespace

bool has_kernel_types(const Node& node) {
  if (node.outputs().empty() || !node.output()->is_tensor()) return true;
  const schema::Schema* kernel = kernel_of(node);
  const Operands of = operands(node);
  if (!kernel || of.is_mixed || is_complex_call(node, of)) return true;
  return schema::computes(*kernel, of.dtype, node.output()->dtype());
}

std::vector<Value*> in_wider_type(ir::OpBuilder& build, const Node& node) {
  const schema::Schema* kernel = kernel_of(node);
  const Operands of = operands(node);
  if (!kernel || is_copy(node)) return {};
  const DType narrow = of.dtype.value_or(node.output()->dtype());
  const auto types = wider(narrow);
  const auto type_of = [&](DType dtype, DType wide) { return dtype == narrow ? wide : dtype; };
  const auto wide = std::find_if(types.begin(), types.end(), [&](DType candidate) {
    return schema::computes(*kernel, of.dtype ? std::optional(candidate) : std::nullopt,
                            type_of(node.output()->dtype(), candidate));
  });
  if (wide == types.end()) return {};

  const schema::Schema* op = schema::find_operator(node.op());
  const auto widened = [&](Value* value) {
    return value && value->is_tensor() && value->dtype() == narrow ? build.to_dtype(value, *wide)
                                                                   : value;
  };
  std::vector<Argument> args = node.args();
  for (size_t i = 0; i < args.size(); ++i) {
    if (op && i < op->parameters.size() && schema::fixed_type_of(op->parameters[i].name)) continue;
    if (auto* value = std::get_if<Value*>(&args[i])) *value = widened(*value);
    if (auto* values = std::get_if<std::vector<Value*>>(&args[i])) {
      for (Value*& value : *values) value = widened(value);
    }
    if (auto* dtype = std::get_if<DType>(&args[i])) *dtype = type_of(*dtype, *wide);
  }
  Node* call = build.node(node.op(), std::move(args));
  std::vector<Value*> results;
  for (const Value* output : node.outputs()) {
    ir::TensorType type = output->type();
    type.dtype = type_of(type.dtype, *wide);
    results.push_back(build.graph().add_output(call, std::move(type)));
  }
  for (size_t i = 0; i < results.size(); ++i) {
    results[i] = build.to_dtype(results[i], node.output(i)->dtype());
  }
  return results;
}

}  // namespace slipway::passes
