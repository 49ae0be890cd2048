#include "ir/default_argument.h"

namespace slipway::ir {

namespace {

// Enumerations stand in schemas by PyTorch's own number, or by name.
std::optional<Argument> numbered_default(int64_t number, const schema::Type& type) {
  switch (type.base) {
    case schema::BaseType::kScalarType:
      // The first of PyTorch's numbers are those of DType.
      if (number < 0 || number > static_cast<int64_t>(DType::kBool)) return std::nullopt;
      return static_cast<DType>(number);
    case schema::BaseType::kMemoryFormat:
      if (number != 0) return std::nullopt;
      return MemoryFormat{MemoryFormat::kContiguous};
    default:
      return SymInt(number);
  }
}

std::optional<Argument> named_default(const std::string& name, const schema::Type& type) {
  switch (type.base) {
    case schema::BaseType::kInt:  // How a loss is reduced.
      if (name == "None") return SymInt(0);
      if (name == "Mean") return SymInt(1);
      if (name == "Sum") return SymInt(2);
      return std::nullopt;
    case schema::BaseType::kScalarType:
      if (auto dtype = dtype_from_name(name)) return *dtype;
      return std::nullopt;
    case schema::BaseType::kLayout:
      return Layout{.strided = name == "strided"};
    case schema::BaseType::kMemoryFormat:
      if (name == "contiguous_format") return MemoryFormat{MemoryFormat::kContiguous};
      if (name == "preserve_format") return MemoryFormat{MemoryFormat::kPreserve};
      if (name == "channels_last") return MemoryFormat{MemoryFormat::kChannelsLast};
      return std::nullopt;
    case schema::BaseType::kDevice:
      return Device{.type = name};
    case schema::BaseType::kString:
    case schema::BaseType::kOther:
      return name;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<Argument> default_argument(const schema::Parameter& parameter) {
  auto convert = [&](const auto& value) -> std::optional<Argument> {
    using T = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<T, schema::NoDefault>) {
      return std::nullopt;
    } else if constexpr (std::is_same_v<T, schema::NoneDefault>) {
      return None();
    } else if constexpr (std::is_same_v<T, std::string>) {
      return named_default(value, parameter.type);
    } else if constexpr (std::is_same_v<T, int64_t>) {
      return numbered_default(value, parameter.type);
    } else if constexpr (std::is_same_v<T, std::vector<int64_t>>) {
      if (parameter.type.base == schema::BaseType::kTensor) return std::vector<Value*>();
      return std::vector<SymInt>(value.begin(), value.end());
    } else {
      return value;
    }
  };
  return std::visit(convert, parameter.default_value);
}

}  // namespace slipway::ir
