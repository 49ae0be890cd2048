#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/try.h"
#include "pte/emitter/method_emitter.h"
#include "pte/format/scalar_types.h"

namespace slipway::pte {

namespace {

// PyTorch's numbers for layouts and memory formats, which ExecuTorch shares.
constexpr int64_t kStrided = 0;
constexpr int64_t kContiguous = 0;

}  // namespace

Result<int32_t> MethodEmitter::index_of(const ir::Value* value) {
  auto found = values_.find(value);
  if (found == values_.end()) return internal_error("{} has no value yet", value->name());
  return found->second;
}

int32_t MethodEmitter::dim_order(size_t rank) {
  std::vector<int32_t> items;
  for (size_t i = 0; i < rank; ++i) items.push_back(plan_.integer(static_cast<int64_t>(i)));
  return plan_.int_list(items);
}

Result<int32_t> MethodEmitter::argument(const ir::Argument& argument,
                                        const schema::Parameter& parameter) {
  const schema::Type& type = parameter.type;
  if (std::holds_alternative<ir::None>(argument)) {
    if (type.base == schema::BaseType::kTensor && !type.optional && !type.list) {
      return plan_.absent_tensor();
    }
    return plan_.null();
  }
  if (type.list) return list_argument(argument, parameter);
  if (type.base == schema::BaseType::kTensor) {
    if (const auto* value = std::get_if<ir::Value*>(&argument)) return index_of(*value);
    return internal_error("argument {} is not a tensor", parameter.name);
  }
  return scalar_argument(argument, parameter);
}

Result<int32_t> MethodEmitter::scalar_argument(const ir::Argument& argument,
                                               const schema::Parameter& parameter) {
  switch (parameter.type.base) {
    case schema::BaseType::kFloat:
      if (const auto* integer = std::get_if<ir::SymInt>(&argument)) {
        if (auto constant = integer->constant()) {
          return plan_.real(static_cast<double>(*constant));
        }
        SLIPWAY_ASSIGN_OR_RETURN(int32_t value, symbols_.value(*integer));
        return prim("sym_float", {value});
      }
      return number(argument);
    case schema::BaseType::kInt:
    case schema::BaseType::kScalar:
      return number(argument);
    case schema::BaseType::kBool:
      if (const auto* integer = std::get_if<ir::SymInt>(&argument);
          integer && integer->is_constant()) {
        return plan_.boolean(*integer->constant() != 0);
      }
      return number(argument);
    case schema::BaseType::kString:
      if (const auto* text = std::get_if<std::string>(&argument)) return plan_.string(*text);
      break;
    case schema::BaseType::kScalarType:
      if (const auto* dtype = std::get_if<DType>(&argument)) {
        auto code = scalar_type_of(*dtype);
        if (!code) return unsupported("ExecuTorch has no tensors of {}", dtype_name(*dtype));
        return plan_.integer(static_cast<int64_t>(*code));
      }
      break;
    case schema::BaseType::kLayout:
      return plan_.integer(kStrided);
    case schema::BaseType::kMemoryFormat:
      // Every tensor is contiguous, whatever PyTorch's was.
      return plan_.integer(kContiguous);
    case schema::BaseType::kDevice:
    case schema::BaseType::kGenerator:
      return plan_.null();
    case schema::BaseType::kTensor:
    case schema::BaseType::kOther:
      break;
  }
  return internal_error("argument {} does not fit its type {}", parameter.name,
                        parameter.type.name);
}

Result<int32_t> MethodEmitter::list_argument(const ir::Argument& argument,
                                             const schema::Parameter& parameter) {
  const schema::Type& type = parameter.type;
  if (type.base == schema::BaseType::kTensor) {
    const auto* values = std::get_if<std::vector<ir::Value*>>(&argument);
    if (!values) return internal_error("argument {} is not a list of tensors", parameter.name);
    std::vector<int32_t> items;
    for (const ir::Value* value : *values) {
      if (!value) {
        items.push_back(-1);
        continue;
      }
      SLIPWAY_ASSIGN_OR_RETURN(int32_t item, index_of(value));
      items.push_back(item);
    }
    return type.optional_items ? plan_.optional_tensor_list(items) : plan_.tensor_list(items);
  }
  if (type.base == schema::BaseType::kBool) {
    if (const auto* items = std::get_if<std::vector<bool>>(&argument)) {
      return plan_.bool_list(*items);
    }
  }
  if (type.base == schema::BaseType::kFloat) {
    if (const auto* items = std::get_if<std::vector<double>>(&argument)) {
      return plan_.real_list(*items);
    }
    if (const auto* integers = std::get_if<std::vector<ir::SymInt>>(&argument)) {
      std::vector<double> items;
      for (const ir::SymInt& integer : *integers) {
        if (!integer.is_constant()) {
          return unsupported("argument {} is a list of floats that depend on sizes",
                             parameter.name);
        }
        items.push_back(static_cast<double>(*integer.constant()));
      }
      return plan_.real_list(items);
    }
  }
  if (type.base == schema::BaseType::kInt) {
    std::vector<ir::SymInt> integers;
    if (const auto* list = std::get_if<std::vector<ir::SymInt>>(&argument)) {
      integers = *list;
    } else if (const auto* integer = std::get_if<ir::SymInt>(&argument)) {
      integers.assign(static_cast<size_t>(std::max<int64_t>(type.list_size, 1)), *integer);
    } else if (const auto* values = std::get_if<std::vector<ir::Value*>>(&argument);
               values && values->empty()) {
      integers = {};  // The archive's empty list has no type.
    } else {
      return internal_error("argument {} is not a list of integers", parameter.name);
    }
    std::vector<int32_t> items;
    for (const ir::SymInt& integer : integers) {
      SLIPWAY_ASSIGN_OR_RETURN(int32_t item, symbols_.value(integer));
      items.push_back(item);
    }
    return plan_.int_list(items);
  }
  return unsupported("argument {} is {}, and a kernel takes only numbers that are known in advance",
                     parameter.name, ir::print(argument));
}

Result<int32_t> MethodEmitter::default_argument(const schema::Parameter& parameter) {
  const schema::Default& value = parameter.default_value;
  if (std::holds_alternative<schema::NoneDefault>(value)) {
    return argument(ir::None{}, parameter);
  }
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    return argument(ir::SymInt(*integer), parameter);
  }
  if (const auto* real = std::get_if<double>(&value)) return argument(*real, parameter);
  if (const auto* flag = std::get_if<bool>(&value)) return argument(*flag, parameter);
  if (const auto* text = std::get_if<std::string>(&value)) return argument(*text, parameter);
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&value)) {
    return argument(std::vector<ir::SymInt>(integers->begin(), integers->end()), parameter);
  }
  if (const auto* reals = std::get_if<std::vector<double>>(&value)) {
    return argument(*reals, parameter);
  }
  if (const auto* flags = std::get_if<std::vector<bool>>(&value)) {
    return argument(*flags, parameter);
  }
  return internal_error("argument {} is missing and has no default", parameter.name);
}

}  // namespace slipway::pte
