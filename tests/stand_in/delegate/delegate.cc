// The backend "StandInBackend" of ExecuTorch, in every program that this file is linked into.
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/platform/log.h>

#include "delegate/arguments.h"
#include "delegate/backend.h"
#include "stand_in/delegate/interpreter.h"
#include "stand_in/delegate/machine.h"
#include "stand_in/format/blob.h"
#include "stand_in/format/description.h"

namespace slipway::stand_in {
namespace {

namespace et = executorch::runtime;
namespace aten = executorch::aten;

constexpr const char* kTitle = "stand-in";

et::Error refuse(const Error& error, et::Error code) {
  ET_LOG(Error, "%s: %s", kTitle, error.message().c_str());
  return code;
}

// It computes in float32; int64 tensors are sizes.
std::vector<delegate::Port> inputs_of(const Model& model) {
  std::vector<delegate::Port> ports;
  for (const Input& input : model.inputs) {
    const bool is_float = input.dtype == DType::kFloat32;
    ports.push_back({is_float ? aten::ScalarType::Float : aten::ScalarType::Long,
                     std::vector<int64_t>(input.rank, -1)});
  }
  return ports;
}
std::vector<delegate::Port> outputs_of(const Model& model) {
  return std::vector<delegate::Port>(model.outputs.size(), {aten::ScalarType::Float, std::nullopt});
}

class StandInEngine final : public delegate::Engine {
 public:
  explicit StandInEngine(Interpreter interpreter)
      : interpreter_(std::move(interpreter)),
        arguments_(kTitle, inputs_of(interpreter_.model()), outputs_of(interpreter_.model())) {}

  et::Error run(et::Span<et::EValue*> arguments, et::EventTracer* /*tracer*/) override {
    const et::Error counted = arguments_.check_count(arguments.size());
    if (counted != et::Error::Ok) return counted;
    std::vector<Tensor> given(arguments_.input_count());
    for (size_t i = 0; i < arguments.size(); ++i) {
      const et::Error checked = arguments_.check(i, *arguments[i]);
      if (checked != et::Error::Ok) return checked;
      if (i >= given.size()) continue;
      const et::Error borrowed = borrow(i, arguments[i]->toTensor(), given[i]);
      if (borrowed != et::Error::Ok) return borrowed;
    }
    const auto results = interpreter_.run(given);
    if (!results.ok()) return refuse(results.error(), et::Error::InvalidArgument);
    for (size_t i = 0; i < results->size(); ++i) {
      const size_t index = given.size() + i;
      const et::Error error = give(index, (*results)[i], arguments[index]->toTensor());
      if (error != et::Error::Ok) return error;
    }
    return et::Error::Ok;
  }

 private:
  // The memory is the tensor's.
  et::Error borrow(size_t index, const aten::Tensor& tensor, Tensor& given) const {
    void* data = nullptr;
    const et::Error found = arguments_.find_memory(index, tensor, &data);
    if (found != et::Error::Ok) return found;
    const bool is_float = tensor.scalar_type() == aten::ScalarType::Float;
    auto borrowed =
        Tensor::borrow(data, tensor.nbytes(), is_float ? DType::kFloat32 : DType::kInt64,
                       {tensor.sizes().begin(), tensor.sizes().end()});
    if (!borrowed.ok()) return refuse(borrowed.error(), et::Error::InvalidArgument);
    given = *std::move(borrowed);
    return et::Error::Ok;
  }

  et::Error give(size_t index, const Tensor& result, const aten::Tensor& tensor) const {
    if (result.dtype() != DType::kFloat32) {
      return refuse({ErrorCode::kUnsupported, "a result is no float32"}, et::Error::NotSupported);
    }
    const et::Error resized = arguments_.resize(index, tensor, result.sizes());
    if (resized != et::Error::Ok) return resized;
    void* data = nullptr;
    const et::Error found = arguments_.find_memory(index, tensor, &data);
    if (found == et::Error::Ok && data != nullptr)
      std::memcpy(data, result.data(), result.nbytes());
    return found;
  }

  Interpreter interpreter_;
  delegate::Arguments arguments_;
};

class Delegate final : public delegate::Backend {
 public:
  Delegate() : Backend(kTitle) {}

 private:
  et::Result<std::unique_ptr<delegate::Engine>> load(
      et::BackendInitContext& /*context*/, et::FreeableBuffer& processed,
      et::ArrayRef<et::CompileSpec> /*specs*/) const override {
    const std::span blob(static_cast<const std::byte*>(processed.data()), processed.size());
    const auto bytes = engine_of(blob);
    auto engine = bytes.ok() ? Interpreter::of(*bytes) : bytes.error();
    if (!engine.ok()) return refuse(engine.error(), et::Error::DelegateInvalidCompatibility);
    return std::unique_ptr<delegate::Engine>(std::make_unique<StandInEngine>(*std::move(engine)));
  }

  std::optional<Setting> setting(std::string_view key) const override {
    if (key == "library_version") return machine().library_version;
    if (key == "capabilities") return machine().capabilities;
    return std::nullopt;
  }
};

// Never destroyed, because programs may end later than static destructors run.
[[maybe_unused]] const et::Error registered[] = {
    et::register_backend({kDescription.backend, new Delegate()}),
    et::register_backend({stand_in_twin::kDescription.backend, new Delegate()})};

}  // namespace
}  // namespace slipway::stand_in
