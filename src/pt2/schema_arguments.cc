#include "pt2/schema_arguments.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/try.h"
#include "ir/default_argument.h"
#include "schema/operator_name.h"

namespace slipway::pt2 {
namespace {

using ir::Argument;
using ir::SymInt;
using schema::BaseType;

size_t repeats(const schema::Type& type) {
  return type.list_size > 0 ? static_cast<size_t>(type.list_size) : 1;
}

template <class T>
std::vector<T> repeat_single(std::vector<T> items, const schema::Type& type) {
  if (items.size() == 1) items.resize(repeats(type), items[0]);
  return items;
}

bool is_empty_list(const Argument& argument) {
  return std::visit(
      [](const auto& held) {
        if constexpr (requires { held.empty(); }) {
          return !std::is_same_v<std::decay_t<decltype(held)>, std::string> && held.empty();
        } else {
          return false;
        }
      },
      argument);
}

std::optional<double> as_float(const Argument& argument) {
  if (const auto* integer = std::get_if<SymInt>(&argument)) {
    if (const auto constant = integer->constant()) return static_cast<double>(*constant);
  }
  if (const auto* number = std::get_if<double>(&argument)) return *number;
  return std::nullopt;
}

Argument fit_int_list(Argument argument, const schema::Type& type) {
  if (auto* items = std::get_if<std::vector<SymInt>>(&argument)) {
    return repeat_single(std::move(*items), type);
  }
  if (const auto* single = std::get_if<SymInt>(&argument)) {
    return std::vector<SymInt>(repeats(type), *single);
  }
  if (is_empty_list(argument)) return std::vector<SymInt>();
  return argument;
}

Argument fit_float_list(Argument argument, const schema::Type& type) {
  if (auto* items = std::get_if<std::vector<double>>(&argument)) {
    return repeat_single(std::move(*items), type);
  }
  if (const auto* items = std::get_if<std::vector<SymInt>>(&argument)) {
    std::vector<double> numbers;
    for (const SymInt& item : *items) {
      const auto constant = item.constant();
      if (!constant) return argument;
      numbers.push_back(static_cast<double>(*constant));
    }
    return repeat_single(std::move(numbers), type);
  }
  if (const auto number = as_float(argument)) return std::vector<double>(repeats(type), *number);
  if (is_empty_list(argument)) return std::vector<double>();
  return argument;
}

Argument fit_list(Argument argument, const schema::Type& type) {
  switch (type.base) {
    case BaseType::kInt:
      return fit_int_list(std::move(argument), type);
    case BaseType::kFloat:
      return fit_float_list(std::move(argument), type);
    case BaseType::kBool:
      if (auto* items = std::get_if<std::vector<bool>>(&argument)) {
        return repeat_single(std::move(*items), type);
      }
      if (is_empty_list(argument)) return std::vector<bool>();
      return argument;
    case BaseType::kTensor:
      if (is_empty_list(argument)) return std::vector<ir::Value*>();
      return argument;
    case BaseType::kString:
      if (is_empty_list(argument)) return std::vector<std::string>();
      return argument;
    default:
      return argument;
  }
}

// Leaves alone what does not fit: the verifier says so.
Argument fit(Argument argument, const schema::Type& type) {
  if (std::holds_alternative<ir::None>(argument)) return argument;
  if (type.list) return fit_list(std::move(argument), type);
  if (type.base == BaseType::kFloat) {
    if (const auto number = as_float(argument)) return *number;
  }
  if (type.base == BaseType::kBool) {
    const auto* integer = std::get_if<SymInt>(&argument);
    if (integer != nullptr && integer->constant()) return *integer->constant() != 0;
  }
  if (type.base == BaseType::kInt) {
    if (const auto* flag = std::get_if<bool>(&argument)) return SymInt(*flag ? 1 : 0);
  }
  return argument;
}

// The parameter that a given argument is for.
std::optional<size_t> place_of(const schema::Schema& schema, const NamedArgument& argument,
                               size_t position) {
  std::optional<size_t> place = schema.find(argument.name);
  // Parameters were renamed between versions of PyTorch; their order is the same.
  if (!place && argument.positional && position < schema.parameters.size()) place = position;
  return place;
}

bool is_number(const Argument& argument) {
  if (const auto* value = std::get_if<ir::Value*>(&argument)) {
    return *value != nullptr && ((*value)->kind() == ir::ValueKind::kSymInt ||
                                 (*value)->kind() == ir::ValueKind::kSymFloat ||
                                 (*value)->kind() == ir::ValueKind::kSymBool);
  }
  return std::holds_alternative<SymInt>(argument) || std::holds_alternative<double>(argument) ||
         std::holds_alternative<bool>(argument) ||
         std::holds_alternative<ir::ComplexNumber>(argument);
}

// Operators on (number, tensor), and those that compute the same on (tensor, number).
constexpr std::pair<std::string_view, std::string_view> kSwapped[] = {
    {"aten.add.Tensor", "aten.add.Scalar"},
    {"aten.mul.Tensor", "aten.mul.Scalar"},
    {"aten.sub.Tensor", "aten.rsub.Scalar"},
};

// Whether tensors and numbers stand where the schema has tensors and numbers.
bool tells_numbers_from_tensors(const schema::Schema& schema,
                                const std::vector<NamedArgument>& given) {
  for (size_t i = 0; i < given.size(); ++i) {
    const auto place = place_of(schema, given[i], i);
    if (!place) return false;
    const schema::Type& type = schema.parameters[*place].type;
    const bool takes_tensor = type.base == BaseType::kTensor && !type.list;
    const auto* value = std::get_if<ir::Value*>(&given[i].argument);
    const bool is_tensor = value != nullptr && *value != nullptr && (*value)->is_tensor();
    if (takes_tensor ? is_number(given[i].argument) : is_tensor) return false;
  }
  return true;
}

}  // namespace

const schema::Schema* find_schema(std::string_view op, std::vector<NamedArgument>& given) {
  const schema::Schema* schema = schema::find_operator(op);
  if (schema == nullptr || tells_numbers_from_tensors(*schema, given)) return schema;
  const std::string_view name = schema::without_overload(op);
  for (const char* overload : {"Scalar", "Scalar_mode", "Tensor_Scalar", "ScalarOther",
                               "Scalar_Other", "ScalarSelf", "Scalar_Self", "Scalar_Tensor"}) {
    const auto* other = schema::find_operator(fmt::format("{}.{}", name, overload));
    if (other != nullptr && tells_numbers_from_tensors(*other, given)) return other;
  }
  if (name == "aten.copy_" || name == "aten.copy") {
    const auto* other =
        schema::find_operator(name.ends_with('_') ? "aten.fill_.Scalar" : "aten.fill.Scalar");
    if (given.size() == 2 && other != nullptr && tells_numbers_from_tensors(*other, given))
      return other;
  }
  for (const auto& [from, to] : kSwapped) {
    if (op != from) continue;
    // A third argument is alpha, which multiplies the second: only sub has an operator for that.
    if (given.size() != 2 && (given.size() != 3 || op != "aten.sub.Tensor")) break;
    const auto* other = schema::find_operator(to);
    std::swap(given[0].argument, given[1].argument);
    if (other != nullptr && tells_numbers_from_tensors(*other, given)) return other;
    std::swap(given[0].argument, given[1].argument);
  }
  return schema;
}

Result<std::vector<Argument>> complete_arguments(const schema::Schema& schema,
                                                 std::vector<NamedArgument> given) {
  const std::vector<schema::Parameter>& parameters = schema.parameters;
  std::vector<std::optional<Argument>> arguments(parameters.size());
  for (size_t i = 0; i < given.size(); ++i) {
    const auto place = place_of(schema, given[i], i);
    if (!place) {
      return unsupported("gives an argument \"{}\" that {} does not take", given[i].name,
                         schema.target());
    }
    if (arguments[*place]) {
      return invalid_file("gives the argument \"{}\" twice", parameters[*place].name);
    }
    arguments[*place] = fit(std::move(given[i].argument), parameters[*place].type);
  }

  std::vector<Argument> complete;
  complete.reserve(parameters.size());
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!arguments[i]) arguments[i] = ir::default_argument(parameters[i]);
    if (!arguments[i]) {
      return invalid_file("lacks the argument \"{}\" of {}", parameters[i].name, schema.target());
    }
    complete.push_back(*std::move(arguments[i]));
  }
  return complete;
}

}  // namespace slipway::pt2
