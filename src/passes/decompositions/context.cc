#include "passes/decompositions/context.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/half.h"
#include "schema/schema.h"

namespace slipway::passes::decompositions {

using ir::Argument;
using ir::Scalar;
using ir::SymInt;
using ir::Value;

const Argument& Context::arg(size_t i) const {
  static const Argument kNone = ir::None{};
  return i < node_->args().size() ? node_->arg(i) : kNone;
}

bool Context::has(size_t i) const { return !std::holds_alternative<ir::None>(arg(i)); }

bool Context::is_tensor(size_t i) const {
  const auto* value = std::get_if<Value*>(&arg(i));
  return value && *value && (*value)->is_tensor();
}

Value* Context::tensor_or_null(size_t i) { return has(i) ? tensor(i) : nullptr; }

Value* Context::tensor(size_t i) {
  if (is_tensor(i)) return std::get<Value*>(arg(i));
  if (const auto number = ir::to_scalar(arg(i))) {
    const DType dtype = std::holds_alternative<bool>(*number)     ? DType::kBool
                        : std::holds_alternative<double>(*number) ? DType::kFloat32
                                                                  : DType::kInt64;
    return build.scalar_tensor(*number, dtype);
  }
  if (const auto* value = std::get_if<Value*>(&arg(i)); value && *value) {
    const bool is_float = (*value)->kind() == ir::ValueKind::kSymFloat;
    return build.call("aten.scalar_tensor.default", {Argument(*value)},
                      is_float ? DType::kFloat32 : DType::kInt64, {});
  }
  unsupported(fmt::format("argument {} is not a tensor", i));
  return build.scalar_tensor(0, DType::kFloat32);
}

std::vector<Value*> Context::tensors(size_t i) {
  if (const auto* list = std::get_if<std::vector<Value*>>(&arg(i))) {
    const auto* schema = schema::find_operator(op());
    const bool may_lack =
        schema && i < schema->parameters.size() && schema->parameters[i].type.optional_items;
    if (may_lack || std::find(list->begin(), list->end(), nullptr) == list->end()) return *list;
    unsupported(fmt::format("argument {} lacks a tensor", i));
    return {};
  }
  if (is_tensor(i)) return {tensor(i)};
  if (const auto* list = std::get_if<std::vector<SymInt>>(&arg(i)); !list || !list->empty()) {
    unsupported(fmt::format("argument {} is not a list of tensors", i));
  }
  return {};
}

SymInt Context::integer(size_t i) {
  if (const auto* value = std::get_if<SymInt>(&arg(i))) return *value;
  if (const auto* value = std::get_if<bool>(&arg(i))) return *value ? 1 : 0;
  unsupported(fmt::format("argument {} is not an integer", i));
  return 0;
}

std::vector<SymInt> Context::integers(size_t i) {
  if (const auto* list = std::get_if<std::vector<SymInt>>(&arg(i))) return *list;
  if (std::holds_alternative<SymInt>(arg(i))) return {integer(i)};
  if (const auto* list = std::get_if<std::vector<Value*>>(&arg(i)); list && list->empty()) {
    return {};
  }
  unsupported(fmt::format("argument {} is not a list of integers", i));
  return {};
}

int64_t Context::known(const SymInt& value, const char* what) {
  if (const auto constant = value.constant()) return *constant;
  unsupported(fmt::format("{} is {}, and must be a fixed number", what, value.to_string()));
  return 1;
}

int64_t Context::constant(size_t i) { return known(integer(i), "an argument"); }

std::vector<int64_t> Context::constants(size_t i) {
  std::vector<int64_t> result;
  for (const SymInt& value : integers(i)) result.push_back(known(value, "an argument"));
  return result;
}

double Context::number(size_t i) {
  const auto value = ir::to_scalar(arg(i));
  if (value) {
    if (const auto* integer = std::get_if<SymInt>(&*value)) {
      return static_cast<double>(known(*integer, "an argument"));
    }
    return ir::to_double(*value);
  }
  unsupported(fmt::format("argument {} is not a fixed number", i));
  return 0;
}

std::vector<double> Context::numbers(size_t i) {
  if (const auto* list = std::get_if<std::vector<double>>(&arg(i))) return *list;
  if (const auto* one = std::get_if<double>(&arg(i))) return {*one};
  std::vector<double> result;
  for (const SymInt& value : integers(i)) {
    result.push_back(static_cast<double>(known(value, "an argument")));
  }
  return result;
}

bool Context::flag(size_t i) {
  if (const auto* value = std::get_if<bool>(&arg(i))) return *value;
  if (const auto* value = std::get_if<SymInt>(&arg(i)); value && value->constant()) {
    return *value->constant() != 0;
  }
  if (has(i)) unsupported(fmt::format("argument {} is not a fixed bool", i));
  return false;
}

Scalar Context::scalar(size_t i) {
  if (auto value = ir::to_scalar(arg(i))) return *value;
  unsupported(fmt::format("argument {} is not a number known before running", i));
  return SymInt(0);
}

std::string Context::text(size_t i) {
  const auto* value = std::get_if<std::string>(&arg(i));
  return value ? *value : std::string();
}

std::optional<DType> Context::dtype_at(size_t i) {
  const auto* value = std::get_if<DType>(&arg(i));
  return value ? std::optional(*value) : std::nullopt;
}

int64_t Context::dim(int64_t dim, int64_t rank) {
  if (rank == 0) rank = 1;
  if (dim < -rank || dim >= rank) {
    unsupported(fmt::format("dimension {} of a tensor with {} dimensions", dim, rank));
    return 0;
  }
  return dim < 0 ? dim + rank : dim;
}

std::vector<int64_t> Context::dims(const std::vector<int64_t>& dims, int64_t rank) {
  std::vector<int64_t> result;
  result.reserve(dims.size());
  for (const int64_t d : dims) result.push_back(dim(d, rank));
  return result;
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
      return from_float16(to_float16(single));
    case DType::kBFloat16:
      return from_bfloat16(to_bfloat16(single));
    case DType::kFloat32:
      return single;
    default:
      return number;
  }
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

std::vector<SymInt> last(const std::vector<SymInt>& list, size_t count) {
  if (count > list.size()) throw std::out_of_range("last");
  return {list.end() - static_cast<std::ptrdiff_t>(count), list.end()};
}

std::vector<SymInt> without_last(const std::vector<SymInt>& list, size_t count) {
  if (count > list.size()) throw std::out_of_range("without_last");
  return {list.begin(), list.end() - static_cast<std::ptrdiff_t>(count)};
}

}  // namespace slipway::passes::decompositions
