#include "passes/decompositions/context.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>
#include <variant>

#include <fmt/core.h>

#include "base/half.h"
#include "schema/schema.h"

namespace slipway::passes::decompositions {

using ir::Argument;
using ir::Scalar;
using ir::SymInt;
using ir::Value;

Value* Context::tensor_or_null(size_t i) { return has(i) ? tensor(i) : nullptr; }

DType Context::floating_number() const {
  const bool is_given = output()->is_tensor() && is_floating_point(dtype());
  return is_given ? dtype() : DType::kFloat32;
}

Value* Context::tensor(size_t i) {
  if (Value* value = arguments().tensor(i)) return value;
  if (const auto number = ir::to_scalar(arg(i))) {
    const DType dtype = std::holds_alternative<bool>(*number)     ? DType::kBool
                        : std::holds_alternative<double>(*number) ? floating_number()
                                                                  : DType::kInt64;
    return build.scalar_tensor(*number, dtype);
  }
  if (const auto* value = std::get_if<Value*>(&arg(i)); value && *value) {
    const bool is_float = (*value)->kind() == ir::ValueKind::kSymFloat;
    return build.call("aten.scalar_tensor.default", {Argument(*value)},
                      is_float ? floating_number() : DType::kInt64, {});
  }
  unsupported(fmt::format("argument {} is not a tensor", i));
  return build.scalar_tensor(0, DType::kFloat32);
}

std::vector<Value*> Context::tensors(size_t i) {
  std::vector<Value*> list = values(i);
  const auto* schema = schema::find_operator(op());
  const bool may_lack =
      schema && i < schema->parameters.size() && schema->parameters[i].type.optional_items;
  if (may_lack || std::find(list.begin(), list.end(), nullptr) == list.end()) return list;
  unsupported(fmt::format("argument {} lacks a tensor", i));
  return {};
}

bool Context::may_unroll(int64_t count, const char* what, const char* remedy, int64_t most) {
  if (count <= most) return true;
  unsupported(
      fmt::format("it has {} {}, each computed by nodes of its own, and {} are the most: {}", count,
                  what, most, remedy));
  return false;
}

Scalar Context::scalar(size_t i) {
  if (auto value = ir::to_scalar(arg(i))) return *value;
  unsupported(fmt::format("argument {} is not a number that is known before the run", i));
  return SymInt(0);
}

std::vector<int64_t> Context::maybe_empty(const ir::Value* x,
                                          const std::vector<int64_t>& but_for) const {
  std::vector<int64_t> dims;
  for (int64_t d = 0; d < x->rank(); ++d) {
    const bool is_left_out = std::find(but_for.begin(), but_for.end(), d) != but_for.end();
    if (!is_left_out && may_be_empty(x->sizes()[d])) dims.push_back(d);
  }
  return dims;
}

ir::Value* Context::unless(ir::Value* failed, ir::Value* x) {
  ir::Value* place = build.to_dtype(build.view(failed, {1}), DType::kInt64);
  return build.squeeze(build.index_select(build.unsqueeze(x, 0), 0, place), 0);
}

ir::Value* Context::grow(ir::Value* x, const std::vector<int64_t>& dims, double value) {
  if (dims.empty()) return x;
  std::vector<ir::SymInt> pad(2 * x->sizes().size(), 0);
  for (const int64_t d : dims) pad.at(2 * (x->rank() - 1 - d) + 1) = 1;
  return build.constant_pad_nd(x, std::move(pad), value);
}

std::vector<Value*> Context::unsupported(std::string reason) {
  if (!reason_) reason_ = std::move(reason);
  return {};
}

double rounded_to(double number, DType dtype) {
  const auto single = static_cast<float>(number);
  switch (dtype) {
    case DType::kFloat16:
    case DType::kBFloat16:
      return round_to_half(single, dtype);
    case DType::kFloat32:
      return single;
    default:
      return number;
  }
}

bool adds_zero(const ir::Value* value) {
  const ir::Node* producer = value->producer();
  return producer && producer->op() == "aten.add.Scalar" && producer->arg(1) == ir::Argument(0.0);
}

Scalar lowest(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return false;
    case DType::kUInt8:
      return SymInt(0);
    case DType::kInt8:
      return SymInt(std::numeric_limits<int8_t>::min());
    case DType::kInt16:
      return SymInt(std::numeric_limits<int16_t>::min());
    case DType::kInt32:
      return SymInt(std::numeric_limits<int32_t>::min());
    case DType::kInt64:
      return SymInt(std::numeric_limits<int64_t>::min());
    default:
      return -std::numeric_limits<double>::infinity();
  }
}

Scalar highest(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return SymInt(1);
    case DType::kUInt8:
      return SymInt(UINT8_MAX);
    case DType::kInt8:
      return SymInt(INT8_MAX);
    case DType::kInt16:
      return SymInt(INT16_MAX);
    case DType::kInt32:
      return SymInt(INT32_MAX);
    case DType::kInt64:
      return SymInt(INT64_MAX);
    default:
      return std::numeric_limits<double>::infinity();
  }
}

std::vector<SymInt> last(const std::vector<SymInt>& list, size_t count) {
  if (count > list.size()) throw std::out_of_range("last");
  return {list.end() - static_cast<std::ptrdiff_t>(count), list.end()};
}

std::vector<SymInt> without_last(const std::vector<SymInt>& list, size_t count) {
  if (count > list.size()) throw std::out_of_range("without_last");
  return {list.begin(), list.end() - static_cast<std::ptrdiff_t>(count)};
}

}  // namespace slipway::passes::decompositions
