// How rules read a node's arguments.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "onnx/context.h"

namespace slipway::onnx {

namespace {

const ir::Argument kNone = ir::None{};
const ir::TensorType kNoType;

}  // namespace

const ir::Argument& Context::arg(size_t i) const {
  return i < node_->args().size() ? node_->args()[i] : kNone;
}

bool Context::has(size_t i) const { return !std::holds_alternative<ir::None>(arg(i)); }

bool Context::is_tensor(size_t i) const {
  const auto* value = std::get_if<ir::Value*>(&arg(i));
  return value && *value && (*value)->is_tensor();
}

Ref Context::tensor(size_t i) {
  if (is_tensor(i)) return find(std::get<ir::Value*>(arg(i)));
  return operand(i, DType::kFloat32);
}

Ref Context::tensor(size_t i, DType dtype) { return cast(tensor(i), dtype); }

Ref Context::tensor_or_none(size_t i) { return is_tensor(i) ? tensor(i) : Ref{}; }

std::vector<const ir::Value*> Context::values(size_t i) {
  if (const auto* list = std::get_if<std::vector<ir::Value*>>(&arg(i))) {
    return {list->begin(), list->end()};
  }
  if (is_tensor(i)) return {std::get<ir::Value*>(arg(i))};
  if (has(i)) fail(fmt::format("argument {} is not a list of tensors", i));
  return {};
}

Refs Context::tensors(size_t i) {
  Refs result;
  for (const ir::Value* value : values(i)) result.push_back(value ? find(value) : Ref{});
  return result;
}

const ir::TensorType& Context::type(size_t i) {
  if (is_tensor(i)) return std::get<ir::Value*>(arg(i))->type();
  fail(fmt::format("argument {} is not a tensor", i));
  return kNoType;
}

const ir::ConstantData* Context::constant_data(size_t i) const {
  const auto* value = std::get_if<ir::Value*>(&arg(i));
  const auto constant = value ? constants_.find(*value) : constants_.end();
  if (constant == constants_.end()) return nullptr;
  // State that the program changes is an input.
  const auto bound = bound_.find(*value);
  const bool is_input =
      bound != bound_.end() &&
      std::any_of(graph_.inputs.begin(), graph_.inputs.end(),
                  [&](const ValueType& input) { return input.name == bound->second.name; });
  return is_input ? nullptr : &*constant->second->data;
}

std::optional<double> Context::number(size_t i) {
  const ir::Argument& argument = arg(i);
  if (const auto* value = std::get_if<double>(&argument)) return *value;
  if (const auto* value = std::get_if<bool>(&argument)) return *value ? 1.0 : 0.0;
  if (const auto* value = std::get_if<ir::SymInt>(&argument)) {
    if (auto known = value->constant()) return static_cast<double>(*known);
  }
  return std::nullopt;
}

ir::SymInt Context::integer(size_t i) {
  if (const auto* value = std::get_if<ir::SymInt>(&arg(i))) return *value;
  if (const auto* value = std::get_if<bool>(&arg(i))) return *value ? 1 : 0;
  fail(fmt::format("argument {} is not an integer", i));
  return 0;
}

Sizes Context::integers(size_t i) {
  if (const auto* list = std::get_if<std::vector<ir::SymInt>>(&arg(i))) return *list;
  if (!has(i)) return {};
  return {integer(i)};
}

int64_t Context::constant(size_t i) {
  auto known = integer(i).constant();
  if (!known) fail(fmt::format("argument {} depends on sizes that are known only at run time", i));
  return known.value_or(0);
}

std::vector<int64_t> Context::constants(size_t i) {
  std::vector<int64_t> result;
  for (const ir::SymInt& item : integers(i)) {
    auto known = item.constant();
    if (!known) {
      fail(fmt::format("argument {} depends on sizes that are known only at run time", i));
    }
    result.push_back(known.value_or(0));
  }
  return result;
}

std::vector<double> Context::numbers(size_t i) {
  if (const auto* list = std::get_if<std::vector<double>>(&arg(i))) return *list;
  std::vector<double> result;
  for (int64_t value : constants(i)) result.push_back(static_cast<double>(value));
  return result;
}

bool Context::flag(size_t i) {
  if (const auto* value = std::get_if<bool>(&arg(i))) return *value;
  if (!has(i)) return false;
  fail(fmt::format("argument {} is not a bool", i));
  return false;
}

double Context::real(size_t i) {
  auto value = number(i);
  if (!value) fail(fmt::format("argument {} is not a number that is known in advance", i));
  return value.value_or(0);
}

std::string Context::text(size_t i) {
  if (const auto* value = std::get_if<std::string>(&arg(i))) return *value;
  if (has(i)) fail(fmt::format("argument {} is not a text", i));
  return {};
}

std::optional<DType> Context::dtype(size_t i) {
  if (const auto* value = std::get_if<DType>(&arg(i))) return *value;
  return std::nullopt;
}

int64_t Context::dim(int64_t dim, int64_t rank) {
  const int64_t bound = std::max<int64_t>(rank, 1);
  if (dim < -bound || dim >= bound) {
    fail(fmt::format("dimension {} is out of range for a tensor of rank {}", dim, rank));
    return 0;
  }
  return dim < 0 ? dim + bound : dim;
}

std::vector<int64_t> Context::dims(size_t i, int64_t rank, bool empty_is_all) {
  std::vector<int64_t> result;
  for (int64_t item : constants(i)) result.push_back(dim(item, rank));
  if (result.empty() && empty_is_all) {
    result.resize(static_cast<size_t>(rank));
    std::iota(result.begin(), result.end(), 0);
  }
  if (rank == 0) result.clear();
  return result;
}

}  // namespace slipway::onnx
