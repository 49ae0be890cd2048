#include "executorch_module.h"

#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/extension/module/module.h>

#include "base/error.h"
#include "base/try.h"
#include "runtime/element_types.h"

namespace slipway {
namespace {

namespace et = executorch::runtime;
namespace aten = executorch::aten;

// One argument, and what it points to.
struct Argument {
  std::vector<aten::SizesType> sizes;
  std::vector<aten::DimOrderType> dim_order;
  std::vector<aten::StridesType> strides;
  std::unique_ptr<aten::TensorImpl> impl;
  aten::ArrayRef<char> text;
  et::EValue value;
};

void set(Argument& argument, const Tensor& tensor) {
  aten::StridesType stride = 1;
  const size_t rank = tensor.sizes().size();
  argument.strides.resize(rank);
  for (size_t i = rank; i-- > 0;) {
    argument.strides[i] = stride;
    stride *= static_cast<aten::StridesType>(std::max<int64_t>(tensor.sizes()[i], 1));
  }
  for (size_t i = 0; i < rank; ++i) {
    argument.sizes.push_back(static_cast<aten::SizesType>(tensor.sizes()[i]));
    argument.dim_order.push_back(static_cast<aten::DimOrderType>(i));
  }
  argument.impl = std::make_unique<aten::TensorImpl>(
      *runtime::to_executorch(tensor.dtype()), static_cast<ssize_t>(rank), argument.sizes.data(),
      const_cast<void*>(tensor.data()), argument.dim_order.data(), argument.strides.data());
  argument.value = et::EValue(aten::Tensor(argument.impl.get()));
}

void set(Argument& argument, const Value& value) {
  if (const auto* tensor = std::get_if<Tensor>(&value)) set(argument, *tensor);
  if (const auto* integer = std::get_if<int64_t>(&value)) argument.value = et::EValue(*integer);
  if (const auto* real = std::get_if<double>(&value)) argument.value = et::EValue(*real);
  if (const auto* boolean = std::get_if<bool>(&value)) argument.value = et::EValue(*boolean);
  if (const auto* string = std::get_if<std::string>(&value)) {
    argument.text = aten::ArrayRef<char>(string->data(), string->size());
    argument.value = et::EValue(&argument.text);
  }
}

Result<Value> copy(const et::EValue& value) {
  if (value.isInt()) return Value(value.toInt());
  if (value.isDouble()) return Value(value.toDouble());
  if (value.isBool()) return Value(value.toBool());
  if (value.isString()) return Value(std::string(value.toString()));
  if (value.isNone()) return Value();
  const aten::Tensor& tensor = value.toTensor();
  SLIPWAY_ASSIGN_OR_RETURN(Tensor result,
                           Tensor::zeros(*runtime::from_executorch(tensor.scalar_type()),
                                         {tensor.sizes().begin(), tensor.sizes().end()}));
  if (tensor.nbytes() > 0) std::memcpy(result.data(), tensor.const_data_ptr(), tensor.nbytes());
  return Value(std::move(result));
}

Result<std::vector<Value>> execute(executorch::extension::Module& module, const std::string& method,
                                   std::span<const Value> inputs) {
  std::vector<Argument> arguments(inputs.size());
  std::vector<et::EValue> values;
  for (size_t i = 0; i < inputs.size(); ++i) {
    set(arguments[i], inputs[i]);
    values.push_back(arguments[i].value);
  }
  const auto outputs = module.execute(method, values);
  if (!outputs.ok()) {
    return unsupported("ExecuTorch gives error {}", static_cast<int>(outputs.error()));
  }
  std::vector<Value> copies;
  for (const et::EValue& output : *outputs) {
    SLIPWAY_ASSIGN_OR_RETURN(Value value, copy(output));
    copies.push_back(std::move(value));
  }
  return copies;
}

std::unique_ptr<et::DataLoader> loader_of(std::span<const std::byte> file) {
  return std::make_unique<executorch::extension::BufferDataLoader>(file.data(), file.size());
}

}  // namespace

Result<std::vector<Value>> run_by_executorch(std::span<const std::byte> file,
                                             std::span<const Value> inputs, int runs) {
  executorch::extension::Module module(loader_of(file));
  for (int i = 1; i < runs; ++i) static_cast<void>(execute(module, "forward", inputs));
  return execute(module, "forward", inputs);
}

class ExecutorchModule::Impl : public executorch::extension::Module {
 public:
  explicit Impl(std::span<const std::byte> file)
      : Module(loader_of(file), nullptr, nullptr, nullptr, nullptr, /*share_memory_arenas=*/true) {}
};

ExecutorchModule::ExecutorchModule(std::span<const std::byte> file,
                                   const std::vector<std::string>& methods)
    : impl_(std::make_unique<Impl>(file)) {
  // Each loads the initial values of what it shares anew.
  for (const std::string& method : methods) static_cast<void>(impl_->load_method(method));
}

ExecutorchModule::~ExecutorchModule() = default;

Result<std::vector<Value>> ExecutorchModule::run(const std::string& method,
                                                 std::span<const Value> inputs) {
  return execute(*impl_, method, inputs);
}

}  // namespace slipway
