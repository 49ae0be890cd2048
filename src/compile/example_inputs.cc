#include "compile/example_inputs.h"

#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "base/try.h"

namespace slipway {

Result<Tensor> random_tensor(DType dtype, const std::vector<int64_t>& sizes,
                             std::mt19937_64& random) {
  SLIPWAY_ASSIGN_OR_RETURN(Tensor tensor, Tensor::zeros(dtype, sizes));
  const auto count = static_cast<size_t>(tensor.numel());
  // Our own arithmetic on the generator's bits: the library's distributions differ between systems.
  const auto uniform = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  const auto fill = [&](auto* data, size_t n, auto next) {
    for (size_t i = 0; i < n; ++i)
      data[i] = static_cast<std::remove_pointer_t<decltype(data)>>(next());
  };
  const auto real = [&] { return 2 * uniform() - 1; };
  const auto small = [&] { return random() % 4; };
  switch (dtype) {
    case DType::kFloat32:
      fill(tensor.data_as<float>(), count, real);
      break;
    case DType::kFloat64:
      fill(tensor.data_as<double>(), count, real);
      break;
    case DType::kComplex64:
      fill(tensor.data_as<float>(), 2 * count, real);
      break;
    case DType::kComplex128:
      fill(tensor.data_as<double>(), 2 * count, real);
      break;
    case DType::kBFloat16:
      fill(tensor.data_as<uint16_t>(), count, [&] {
        const float value = static_cast<float>(real());
        uint32_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        return bits >> 16;
      });
      break;
    case DType::kFloat16:
      // Sign, exponent of 0.25 to 0.5, and mantissa.
      fill(tensor.data_as<uint16_t>(), count, [&] { return 0x3400u | (random() & 0x83ffu); });
      break;
    case DType::kBool:
      fill(tensor.data_as<uint8_t>(), count, [&] { return random() & 1; });
      break;
    case DType::kUInt8:
    case DType::kInt8:
      fill(tensor.data_as<uint8_t>(), count, small);
      break;
    case DType::kInt16:
    case DType::kUInt16:
      fill(tensor.data_as<uint16_t>(), count, small);
      break;
    case DType::kInt32:
    case DType::kUInt32:
      fill(tensor.data_as<uint32_t>(), count, small);
      break;
    case DType::kInt64:
    case DType::kUInt64:
      fill(tensor.data_as<uint64_t>(), count, small);
      break;
    default:
      break;  // float8 and complex32: zeros
  }
  return tensor;
}

Result<Value> random_value(const ValueInfo& input, const std::vector<int64_t>& sizes,
                           std::mt19937_64& random) {
  if (std::holds_alternative<IntegerInfo>(input.type)) return Value(sizes.at(0));
  const TensorInfo* const tensor = input.tensor();
  if (tensor == nullptr) return Value();
  SLIPWAY_ASSIGN_OR_RETURN(Tensor made, random_tensor(tensor->dtype, sizes, random));
  return Value(std::move(made));
}

Result<std::vector<Value>> example_inputs(const ir::Program& program,
                                          const std::map<std::string, int64_t>& sizes) {
  std::vector<Value> values;
  std::mt19937_64 random(0);
  for (const ir::Input& input : program.inputs) {
    if (input.kind == ir::InputKind::kLiteral) values.emplace_back(std::monostate());
    if (input.kind != ir::InputKind::kUserInput) continue;
    if (!input.value->is_tensor()) {
      SLIPWAY_ASSIGN_OR_RETURN(const int64_t number, input.value->expression().evaluate(sizes));
      values.emplace_back(number);
      continue;
    }
    std::vector<int64_t> own;
    for (const ir::SymInt& size : input.value->sizes()) {
      SLIPWAY_ASSIGN_OR_RETURN(own.emplace_back(), size.evaluate(sizes));
    }
    SLIPWAY_ASSIGN_OR_RETURN(Tensor tensor, random_tensor(input.value->type().dtype, own, random));
    values.emplace_back(std::move(tensor));
  }
  return values;
}

}  // namespace slipway
