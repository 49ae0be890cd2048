#include "pte/reader/kernel_check.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/try.h"

namespace slipway::pte {
namespace {

using schema::BaseType;
using schema::Parameter;
using schema::Schema;
using schema::Type;

constexpr std::string_view kPrimitives = "executorch_prim::";

bool is_view(const Schema& kernel) {
  return kernel.name == "executorch_prim::et_view" && kernel.overload == "default";
}

ValueKinds kinds_of_item(BaseType base) {
  switch (base) {
    case BaseType::kTensor:
      return kReadableTensor;
    case BaseType::kInt:
    case BaseType::kScalarType:
    case BaseType::kLayout:
    case BaseType::kMemoryFormat:
    case BaseType::kDevice:
      return kInt;
    case BaseType::kFloat:
      return kDouble;
    case BaseType::kBool:
      return kBool;
    case BaseType::kScalar:
      return kScalar;
    case BaseType::kString:
      return kString;
    default:
      return 0;
  }
}

// Nothing fits a type that ExecuTorch has no values for.
ValueKinds kinds_of(const Type& type) {
  ValueKinds kinds = 0;
  if (!type.list) {
    kinds = kinds_of_item(type.base);
  } else if (type.base == BaseType::kTensor) {
    kinds = type.optional_items ? kOptionalTensorList : kTensorList;
  } else if (type.base == BaseType::kInt) {
    kinds = kIntList;
  } else if (type.base == BaseType::kFloat) {
    kinds = kDoubleList;
  } else if (type.base == BaseType::kBool) {
    kinds = kBoolList;
  }
  return type.optional ? kinds | kNone : kinds;
}

Error wrong_kind(int32_t value, ValueKinds kinds, ValueKinds allowed) {
  return invalid_file("value {} is {} where {} belongs", value, describe(kinds), describe(allowed));
}

Status check_kinds(int32_t value, ValueKinds allowed, const ValueView& values) {
  const ValueKinds kinds = values.kinds(value);
  if ((kinds & ~allowed) != 0) return wrong_kind(value, kinds, allowed);
  return {};
}

// The values that a list is made of; nothing for inline lists and for what is no list.
std::span<const int32_t> tensor_items(const fb::EValue& list) {
  const flatbuffers::Vector<int32_t>* items = nullptr;
  if (const auto* tensors = list.val_as_TensorList()) items = tensors->items();
  if (const auto* tensors = list.val_as_OptionalTensorList()) items = tensors->items();
  return items == nullptr ? std::span<const int32_t>() : std::span(items->data(), items->size());
}

Status check_items(int32_t value, const Type& type, const ValueView& values) {
  const fb::EValue& list = values.stored(value);
  const ValueKinds allowed = type.is_mutable() ? kWritableTensor : kReadableTensor;
  for (const int32_t item : tensor_items(list)) {
    if (item >= 0) {
      SLIPWAY_RETURN_IF_ERROR(
          check_kinds(item, type.optional_items ? allowed | kNone : allowed, values));
    }
  }
  if (const auto* ints = list.val_as_IntList()) {
    for (const int64_t item : *ints->items()) {
      SLIPWAY_RETURN_IF_ERROR(check_kinds(static_cast<int32_t>(item), kInt, values));
      // Lists of ints are sizes, strides and dimensions: ExecuTorch has 32 bits for them, and
      // kernels that shorten a larger number check the one and use the other.
      const auto number = values.constant_int(static_cast<int32_t>(item));
      if (number && (*number > INT32_MAX || *number < INT32_MIN)) {
        return invalid_file("value {}, {} in a list of ints, has more than 32 bits", item, *number);
      }
    }
  }
  // Kernels take the length of bool[3] for granted.
  const auto* bools = list.val_as_BoolList();
  if (bools != nullptr && type.list_size > 0 &&
      bools->items()->size() != static_cast<size_t>(type.list_size)) {
    return invalid_file("value {} has {} items where {} belong", value, bools->items()->size(),
                        type.list_size);
  }
  return {};
}

Status check_argument(const Parameter& parameter, int32_t value, bool may_be_unbound,
                      const ValueView& values) {
  ValueKinds allowed = kinds_of(parameter.type);
  if (parameter.type.is_mutable()) allowed &= static_cast<ValueKinds>(~kReadOnlyTensor);
  if (parameter.is_out) allowed &= static_cast<ValueKinds>(~kInPlaceTensor);
  if (may_be_unbound) allowed |= kTensor;
  SLIPWAY_RETURN_IF_ERROR(check_kinds(value, allowed, values));
  if (parameter.type.list) return check_items(value, parameter.type, values);
  return {};
}

// The numbers of an int or of a list of ints, as far as they are the same in every run.
std::vector<int64_t> constant_ints(int32_t value, const ValueView& values) {
  std::vector<int64_t> numbers;
  const auto add = [&](int32_t item) {
    if (const auto number = values.constant_int(item)) numbers.push_back(*number);
  };
  add(value);
  if (const auto* ints = values.stored(value).val_as_IntList()) {
    for (const int64_t item : *ints->items()) add(static_cast<int32_t>(item));
  }
  return numbers;
}

// Kernels divide by these, or run through them: zero ends the process, and a huge number hangs it.
Status check_divisors(const Schema& kernel, std::span<const int32_t> args,
                      const ValueView& values) {
  static constexpr std::array<std::string_view, 10> kDivisors = {
      "stride", "dilation",       "kernel_size",      "groups",           "group",
      "step",   "upscale_factor", "downscale_factor", "divisor_override", "split_size"};
  constexpr int64_t kMaxWindow = int64_t{1} << 24;
  if (kernel.name == "aten::as_strided_copy") return {};
  for (size_t i = 0; i < kernel.parameters.size(); ++i) {
    const std::string& name = kernel.parameters[i].name;
    // The step of arange is a Scalar, and may be negative.
    if (kernel.parameters[i].type.base != BaseType::kInt ||
        std::find(kDivisors.begin(), kDivisors.end(), name) == kDivisors.end()) {
      continue;
    }
    int64_t window = 1;
    for (const int64_t number : constant_ints(args[i], values)) {
      const bool too_large = name == "kernel_size" && number > kMaxWindow / window;
      if (number <= 0 || too_large) {
        return invalid_file("argument {} ({}): {} is not a size that it can have", i, name, number);
      }
      if (name == "kernel_size") window *= number;
    }
  }
  return {};
}

// The results after the arguments: the out-argument again, or a list of all of them.
Status check_repeated_outs(const Schema& kernel, std::span<const int32_t> args,
                           const ValueView& values) {
  std::vector<int32_t> outs;
  for (size_t i = 0; i < kernel.parameters.size(); ++i) {
    const Type& type = kernel.parameters[i].type;
    const bool returned =
        std::any_of(kernel.returns.begin(), kernel.returns.end(),
                    [&](const Type& result) { return result.alias == type.alias; });
    if (type.is_mutable() && type.list) {
      const auto items = tensor_items(values.stored(args[i]));
      outs.assign(items.begin(), items.end());
    } else if (type.is_mutable() && returned) {
      outs.push_back(args[i]);
    }
  }
  const int32_t last = args.back();
  if (outs.size() == 1 && last == outs[0]) return {};
  const auto items = tensor_items(values.stored(last));
  if (values.kinds(last) != kTensorList ||
      !std::equal(items.begin(), items.end(), outs.begin(), outs.end())) {
    return invalid_file("its last argument, value {}, does not repeat its results", last);
  }
  return {};
}

// A kernel gives its result a size first, and then reads its arguments.
Status check_resized_outs(const Schema& kernel, std::span<const int32_t> args,
                          const ValueView& values) {
  for (size_t i = 0; i < kernel.parameters.size(); ++i) {
    if (!kernel.parameters[i].is_out || kernel.parameters[i].type.list ||
        !values.tensor(args[i]).dynamic) {
      continue;
    }
    for (size_t j = 0; j < kernel.parameters.size(); ++j) {
      const auto items = tensor_items(values.stored(args[j]));
      const bool is_item = std::find(items.begin(), items.end(), args[i]) != items.end();
      if (j != i && (args[j] == args[i] || is_item)) {
        return invalid_file("its result, value {}, changes its size, and is argument {} ({}) too",
                            args[i], j, kernel.parameters[j].name);
      }
    }
  }
  return {};
}

// What _local_scalar_dense makes of an element.
ValueKinds kinds_of_element(DType dtype) {
  if (dtype == DType::kBool) return kBool;
  return is_integral(dtype) ? kInt : kDouble;
}

// What a symbolic operator's result may be.
ValueKinds result_kinds(const Schema& kernel, std::span<const int32_t> args,
                        const ValueView& values) {
  if (kernel.name == "aten::_local_scalar_dense") {
    return kinds_of_element(values.tensor(args[0]).dtype);
  }
  if (kernel.returns[0].base != BaseType::kScalar || !kernel.name.starts_with(kPrimitives)) {
    return kinds_of_item(kernel.returns[0].base);
  }
  const std::string_view name = std::string_view(kernel.name).substr(kPrimitives.size());
  if (name == "truediv" || name == "sym_float") return kDouble;
  constexpr std::array<std::string_view, 4> kToInt = {"ceil", "round", "trunc", "sym_int"};
  if (std::find(kToInt.begin(), kToInt.end(), name) != kToInt.end()) return kInt;
  // The condition of sym_ite is not among what it chooses from.
  const size_t first = name == "sym_ite" ? 1 : 0;
  ValueKinds kinds = 0;
  bool has_double = false;
  for (size_t i = first; i < kernel.parameters.size(); ++i) {
    kinds |= values.kinds(args[i]);
    has_double = has_double || values.kinds(args[i]) == kDouble;
  }
  // Arithmetic with one float gives a float.
  return has_double && name != "sym_ite" ? kDouble : kinds;
}

// ExecuTorch aborts where the dimension is out of range.
Status check_size_dimension(std::span<const int32_t> args, const ValueView& values) {
  const auto dimension = values.constant_int(args[1]);
  const size_t rank = values.tensor(args[0]).rank;
  if (!dimension || *dimension < 0 || static_cast<uint64_t>(*dimension) >= rank) {
    return invalid_file("its dimension, value {}, is not a constant below {}", args[1], rank);
  }
  return {};
}

// Integer division by zero ends the process.
Status check_quotient(const Schema& kernel, std::span<const int32_t> args,
                      const ValueView& values) {
  const bool divides =
      kernel.name == "executorch_prim::floordiv" || kernel.name == "executorch_prim::mod";
  if (divides && values.constant_int(args[1]) == 0) return invalid_file("it divides by zero");
  return {};
}

}  // namespace

Result<std::vector<Write>> check_kernel_call(const Schema& kernel, std::span<const int32_t> args,
                                             const ValueView& values) {
  const auto mutates = [](const Parameter& parameter) { return parameter.type.is_mutable(); };
  const bool has_outs = std::any_of(kernel.parameters.begin(), kernel.parameters.end(), mutates);
  // ExecuTorch's own primitives take what they write to once, kernels twice.
  const bool repeats = !has_outs || !kernel.name.starts_with(kPrimitives);
  const size_t expected = kernel.parameters.size() + (repeats ? 1 : 0);
  if (args.size() != expected) {
    return invalid_file("it has {} arguments instead of {}", args.size(), expected);
  }
  for (size_t i = 0; i < kernel.parameters.size(); ++i) {
    const Parameter& parameter = kernel.parameters[i];
    auto status = check_argument(parameter, args[i], is_view(kernel) && parameter.is_out, values);
    if (!status.ok()) {
      return status.error().with_context(fmt::format("argument {} ({})", i, parameter.name));
    }
  }
  SLIPWAY_RETURN_IF_ERROR(check_divisors(kernel, args, values));
  if (is_view(kernel)) {
    // The view may be larger than what it shows, as far as its declared size goes; not where both
    // sizes are fixed and equal.
    const TensorFacts& shown = values.tensor(args[0]);
    const TensorFacts& view = values.tensor(args[2]);
    const bool same_size = !shown.dynamic && !view.dynamic && shown.nbytes == view.nbytes;
    const bool writable = same_size && values.kinds(args[0]) == kWritableTensor;
    return std::vector<Write>{{args[2], writable ? kWritableTensor : kReadOnlyTensor}};
  }
  if (has_outs) {
    if (repeats) SLIPWAY_RETURN_IF_ERROR(check_repeated_outs(kernel, args, values));
    SLIPWAY_RETURN_IF_ERROR(check_resized_outs(kernel, args, values));
    return std::vector<Write>();
  }
  if (kernel.returns.size() != 1 || kernel.returns[0].base == BaseType::kTensor) {
    return invalid_file("its results have no place");
  }
  if (kernel.name == "aten::sym_size") SLIPWAY_RETURN_IF_ERROR(check_size_dimension(args, values));
  SLIPWAY_RETURN_IF_ERROR(check_quotient(kernel, args, values));
  SLIPWAY_RETURN_IF_ERROR(check_kinds(args.back(), kScalar, values));
  return std::vector<Write>{{args.back(), result_kinds(kernel, args, values)}};
}

}  // namespace slipway::pte
