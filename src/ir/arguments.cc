#include "ir/arguments.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/core.h>

namespace slipway::ir {

std::optional<int64_t> wrap_dim(int64_t dim, int64_t rank) {
  rank = std::max<int64_t>(rank, 1);
  if (dim < -rank || dim >= rank) return std::nullopt;
  return dim < 0 ? dim + rank : dim;
}

const Argument& Arguments::at(size_t i) const {
  static const Argument kNone = None{};
  return i < args_->size() ? (*args_)[i] : kNone;
}

Value* Arguments::tensor(size_t i) const {
  auto* const* value = std::get_if<Value*>(&at(i));
  return value && *value && (*value)->is_tensor() ? *value : nullptr;
}

std::optional<std::vector<Value*>> Arguments::tensors(size_t i) const {
  if (const auto* list = std::get_if<std::vector<Value*>>(&at(i))) return *list;
  if (Value* value = tensor(i)) return std::vector<Value*>{value};
  const auto* list = std::get_if<std::vector<SymInt>>(&at(i));
  if (list && list->empty()) return std::vector<Value*>();
  return std::nullopt;
}

std::optional<SymInt> Arguments::integer(size_t i) const {
  if (const auto* value = std::get_if<SymInt>(&at(i))) return *value;
  if (const auto* value = std::get_if<bool>(&at(i))) return SymInt(*value ? 1 : 0);
  return std::nullopt;
}

std::optional<std::vector<SymInt>> Arguments::integers(size_t i) const {
  if (const auto* list = std::get_if<std::vector<SymInt>>(&at(i))) return *list;
  if (const auto one = integer(i)) return std::vector<SymInt>{*one};
  // The type of an empty list is not seen.
  const auto* list = std::get_if<std::vector<Value*>>(&at(i));
  if (list && list->empty()) return std::vector<SymInt>();
  return std::nullopt;
}

std::optional<int64_t> Arguments::constant(size_t i) const {
  const auto value = integer(i);
  return value ? value->constant() : std::nullopt;
}

std::optional<double> Arguments::number(size_t i) const {
  if (const auto* value = std::get_if<double>(&at(i))) return *value;
  const auto value = constant(i);
  return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
}

std::optional<bool> Arguments::flag(size_t i) const {
  const auto value = constant(i);
  return value ? std::optional(*value != 0) : std::nullopt;
}

const std::string* Arguments::text(size_t i) const { return std::get_if<std::string>(&at(i)); }

std::optional<DType> Arguments::dtype(size_t i) const {
  const auto* value = std::get_if<DType>(&at(i));
  return value ? std::optional(*value) : std::nullopt;
}

std::optional<int64_t> Arguments::dim(size_t i, int64_t rank) const {
  const auto value = constant(i);
  return value ? wrap_dim(*value, rank) : std::nullopt;
}

std::vector<Value*> ArgumentReader::values(size_t i) {
  auto list = arguments().tensors(i);
  if (!list && has(i)) fail(fmt::format("argument {} is not a list of tensors", i));
  return std::move(list).value_or(std::vector<Value*>());
}

SymInt ArgumentReader::integer(size_t i) {
  const auto value = arguments().integer(i);
  if (!value) fail(fmt::format("argument {} is not an integer", i));
  return value.value_or(0);
}

std::vector<SymInt> ArgumentReader::integers(size_t i) {
  auto list = arguments().integers(i);
  if (!list) fail(fmt::format("argument {} is not a list of integers", i));
  return std::move(list).value_or(std::vector<SymInt>());
}

int64_t ArgumentReader::known(const SymInt& value, const std::string& what) {
  const auto constant = value.constant();
  if (!constant) fail(fmt::format("{} is {}, and must be a fixed number", what, value.to_string()));
  return constant.value_or(1);
}

int64_t ArgumentReader::constant(size_t i) {
  return known(integer(i), fmt::format("argument {}", i));
}

std::vector<int64_t> ArgumentReader::constants(size_t i) {
  std::vector<int64_t> result;
  for (const SymInt& item : integers(i)) {
    result.push_back(known(item, fmt::format("an item of argument {}", i)));
  }
  return result;
}

double ArgumentReader::real(size_t i) {
  const auto value = number(i);
  if (!value) fail(fmt::format("argument {} is not a fixed number", i));
  return value.value_or(0);
}

std::vector<double> ArgumentReader::numbers(size_t i) {
  if (const auto* list = std::get_if<std::vector<double>>(&arg(i))) return *list;
  if (const auto* one = std::get_if<double>(&arg(i))) return {*one};
  std::vector<double> result;
  for (const int64_t value : constants(i)) result.push_back(static_cast<double>(value));
  return result;
}

bool ArgumentReader::flag(size_t i) {
  const auto value = arguments().flag(i);
  if (!value && has(i)) fail(fmt::format("argument {} is not a fixed bool", i));
  return value.value_or(false);
}

std::string ArgumentReader::text(size_t i) {
  const std::string* value = arguments().text(i);
  if (!value && has(i)) fail(fmt::format("argument {} is not a text", i));
  return value ? *value : std::string();
}

int64_t ArgumentReader::dim(int64_t dim, int64_t rank) {
  const auto wrapped = wrap_dim(dim, rank);
  if (!wrapped) {
    fail(fmt::format("dimension {} is out of range for a tensor of rank {}", dim, rank));
  }
  return wrapped.value_or(0);
}

std::vector<int64_t> ArgumentReader::dims(const std::vector<int64_t>& dims, int64_t rank) {
  std::vector<int64_t> result;
  result.reserve(dims.size());
  for (const int64_t item : dims) result.push_back(dim(item, rank));
  return result;
}

}  // namespace slipway::ir
