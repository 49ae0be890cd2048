// The backend "StandInBackend" of ExecuTorch, in every program that this file is linked into.
#include <array>
#include <cstddef>
#include <cstring>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <executorch/runtime/platform/log.h>

#include "base/error.h"
#include "base/try.h"
#include "stand_in/delegate/interpreter.h"
#include "stand_in/delegate/machine.h"
#include "stand_in/format/blob.h"
#include "stand_in/format/description.h"

namespace slipway::stand_in {
namespace {

namespace et = executorch::runtime;
namespace aten = executorch::aten;

std::vector<int64_t> sizes_of(const aten::Tensor& tensor) {
  return {tensor.sizes().begin(), tensor.sizes().end()};
}

Result<DType> dtype_of(const aten::Tensor& tensor) {
  if (tensor.scalar_type() == aten::ScalarType::Float) return DType::kFloat32;
  if (tensor.scalar_type() == aten::ScalarType::Long) return DType::kInt64;
  return invalid_argument("a tensor has an element type that it does not take");
}

// The memory is the tensor's.
Result<Tensor> borrow(const et::EValue& value) {
  if (!value.isTensor()) return invalid_argument("an argument is no tensor");
  const aten::Tensor& tensor = value.toTensor();
  SLIPWAY_ASSIGN_OR_RETURN(const DType dtype, dtype_of(tensor));
  return Tensor::borrow(const_cast<void*>(tensor.const_data_ptr()), tensor.nbytes(), dtype,
                        sizes_of(tensor));
}

Status give(const Tensor& result, et::EValue& value) {
  if (!value.isTensor()) return invalid_argument("an output is no tensor");
  const aten::Tensor& tensor = value.toTensor();
  SLIPWAY_ASSIGN_OR_RETURN(const DType dtype, dtype_of(tensor));
  const std::vector<aten::SizesType> sizes(result.sizes().begin(), result.sizes().end());
  if (dtype != result.dtype() ||
      et::resize_tensor(tensor, {sizes.data(), sizes.size()}) != et::Error::Ok ||
      tensor.nbytes() != result.nbytes()) {
    return invalid_argument("an output has no room for {}",
                            format_type(result.dtype(), result.sizes()));
  }
  if (result.nbytes() > 0) {
    std::memcpy(tensor.mutable_data_ptr(), result.data(), result.nbytes());
  }
  return {};
}

Status run(const Interpreter& engine, et::Span<et::EValue*> arguments) {
  const size_t inputs = engine.model().inputs.size();
  const size_t outputs = engine.model().outputs.size();
  if (arguments.size() != inputs + outputs) {
    return invalid_argument("it has {} inputs and {} outputs, and {} values are given", inputs,
                            outputs, arguments.size());
  }
  std::vector<Tensor> given;
  for (size_t i = 0; i < inputs; ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(given.emplace_back(), borrow(*arguments[i]));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Tensor> results, engine.run(given));
  for (size_t i = 0; i < outputs; ++i) {
    SLIPWAY_RETURN_IF_ERROR(give(results[i], *arguments[inputs + i]));
  }
  return {};
}

class Delegate final : public et::BackendInterface {
 public:
  bool is_available() const override { return true; }

  et::Result<et::DelegateHandle*> init(et::BackendInitContext& /*context*/,
                                       et::FreeableBuffer* processed,
                                       et::ArrayRef<et::CompileSpec> /*specs*/) const override {
    try {
      const std::span blob(static_cast<const std::byte*>(processed->data()), processed->size());
      const auto bytes = engine_of(blob);
      auto engine = bytes.ok() ? Interpreter::of(*bytes) : bytes.error();
      if (engine.ok()) return std::make_unique<Interpreter>(*std::move(engine)).release();
      ET_LOG(Error, "stand-in: %s", engine.error().message().c_str());
    } catch (const std::exception& exception) {
      ET_LOG(Error, "stand-in: %s", exception.what());
    }
    return et::Error::DelegateInvalidCompatibility;
  }

  et::Error execute(et::BackendExecutionContext& /*context*/, et::DelegateHandle* handle,
                    et::Span<et::EValue*> arguments) const override {
    try {
      const Status ran = run(*static_cast<const Interpreter*>(handle), arguments);
      if (ran.ok()) return et::Error::Ok;
      ET_LOG(Error, "stand-in: %s", ran.error().message().c_str());
    } catch (const std::exception& exception) {
      ET_LOG(Error, "stand-in: %s", exception.what());
    }
    return et::Error::InvalidArgument;
  }

  et::Error get_option(et::BackendOptionContext& /*context*/,
                       et::Span<et::BackendOption>& options) override {
    for (et::BackendOption& option : options) {
      const std::string_view key = option.key;
      if (key != "library_version" && key != "capabilities") return et::Error::NotFound;
      const std::string& text =
          key == "library_version" ? machine().library_version : machine().capabilities;
      std::array<char, et::kMaxOptionValueLength> value{};
      std::strncpy(value.data(), text.c_str(), value.size() - 1);
      option.value = value;
    }
    return et::Error::Ok;
  }

  void destroy(et::DelegateHandle* handle) const override {
    delete static_cast<Interpreter*>(handle);
  }
};

// Never destroyed, because programs may end later than static destructors run.
Delegate* const delegate = new Delegate();
[[maybe_unused]] const et::Error registered =
    et::register_backend({kDescription.backend, delegate});

}  // namespace
}  // namespace slipway::stand_in
