// The backend "SlipwayCudaBackend" of ExecuTorch: runs engines of generated kernels
// (docs/formats/cuda_engine.md).
//
// It registers itself when libslipway_cuda.so is opened, which does not open NVIDIA's driver: the
// first engine does. Tensors are bound by position, inputs first.
//
// Compile specs, and load options before them: "target_device" ("cuda:0") says which GPU, where
// both are missing the first one; "use_cuda_graphs" whether calls are repeated as CUDA graphs,
// which set_option() takes, too, for all engines that are loaded later; and
// "weight_streaming_budget" (decimal digits; as an option an int, too) how many bytes weights may
// take on the GPU. get_option() tells "cuda_device" of the engines of the option "program", which
// is a load option, too.

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <executorch/runtime/backend/interface.h>
#include <fmt/format.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/try.h"
#include "cuda/delegate/engine.h"
#include "cuda/delegate/programs.h"
#include "cuda/delegate/refuse.h"
#include "cuda/format/description.h"
#include "cuda/options/options.h"
#include "delegate/backend.h"
#include "delegate/registration.h"
#include "engine/description.h"
#include "engine/tuner.h"
#include "slipway/export.h"

namespace slipway::cuda {
namespace {

namespace et = executorch::runtime;

thread_local engine::Tuner* tuner = nullptr;

struct Request {
  Blob blob;
  int device = 0;
  LoadedEngine::Settings settings = {};
};

Result<Request> read_request(const et::BackendInitContext& context,
                             const et::FreeableBuffer& processed, CompileSpecs specs) {
  Request request;
  const auto given = context.runtime_specs();
  const BackendOptions options(given.data(), given.size());
  SLIPWAY_ASSIGN_OR_RETURN(const auto device, device_of(specs, options, kDeviceOption));
  request.device = device.value_or(0);
  SLIPWAY_ASSIGN_OR_RETURN(request.settings.with_graphs,
                           wants_graphs(specs, options, kGraphsOption));
  SLIPWAY_ASSIGN_OR_RETURN(const auto stored, bytes_of(specs, kBudgetOption));
  SLIPWAY_ASSIGN_OR_RETURN(const auto budget, bytes_of(options, kBudgetOption, kTitle));
  request.settings.weight_budget = budget ? budget : stored;
  SLIPWAY_ASSIGN_OR_RETURN(auto program, text_of(options, engine::kProgramOption));
  request.settings.program = std::move(program).value_or(std::string());
  const std::span bytes(static_cast<const std::byte*>(processed.data()), processed.size());
  if (tuner != nullptr) {
    request.settings.tuner = [] { return tuner; };
    request.settings.xxh3 = xxh3_hex(bytes);
  }
  auto blob = read_blob(bytes);
  if (!blob.ok()) return blob.error().with_context("its bytes can't be read");
  request.blob = *std::move(blob);
  return request;
}

Result<std::unique_ptr<LoadedEngine>> load_on(Request request) {
  SLIPWAY_ASSIGN_OR_RETURN(const DevicePointer device, Device::open(request.device));
  SLIPWAY_ASSIGN_OR_RETURN(const Current current, device->make_current());
  return LoadedEngine::load(device, std::move(request.blob), std::move(request.settings));
}

class Delegate final : public delegate::Backend {
 public:
  Delegate() : Backend(kTitle) {}

 private:
  et::Result<std::unique_ptr<delegate::Engine>> load(et::BackendInitContext& context,
                                                     et::FreeableBuffer& processed,
                                                     CompileSpecs specs) const override {
    auto request = read_request(context, processed, specs);
    if (!request.ok()) return refuse(request.error());
    auto loaded = load_on(*std::move(request));
    if (loaded.ok()) return std::unique_ptr<delegate::Engine>(*std::move(loaded));
    return loaded.error().code() == ErrorCode::kUnsupported
               ? refuse(loaded.error(), et::Error::DelegateInvalidCompatibility)
               : refuse(loaded.error());
  }

  et::Error set_option(et::BackendOptionContext& /*context*/,
                       const et::Span<et::BackendOption>& given) override {
    const BackendOptions options(given.data(), given.size());
    for (const et::BackendOption& option : options) {
      if (std::string_view(option.key) == kGraphsOption) continue;
      return refuse(
          invalid_argument("it has no option '{}' that can be set after loading", option.key));
    }
    const auto graphs = flag_of(options, kGraphsOption);
    if (!graphs.ok()) return refuse(graphs.error());
    if (*graphs) set_graphs(**graphs);
    return et::Error::Ok;
  }

  et::Error get_option(et::BackendOptionContext& context,
                       et::Span<et::BackendOption>& options) override {
    const auto program = text_of({options.data(), options.size()}, engine::kProgramOption);
    if (!program.ok()) return refuse(program.error());
    for (et::BackendOption& option : options) {
      const std::string_view key = option.key;
      if (key == engine::kProgramOption) continue;
      if (key == engine::kCudaDeviceOption) {
        const auto device = ProgramDevice::of(program->value_or(std::string()));
        if (!device) return et::Error::NotFound;
        option.value = *device;
        continue;
      }
      et::Span<et::BackendOption> other(&option, 1);
      const et::Error error = Backend::get_option(context, other);
      if (error != et::Error::Ok) return error;
    }
    return et::Error::Ok;
  }

  // "capabilities": of the first GPU, "sm_90". What built an engine does not matter to it.
  std::optional<Setting> setting(std::string_view key) const override {
    if (key != "capabilities") return std::nullopt;
    const auto driver = Driver::open();
    if (!driver.ok()) return std::nullopt;
    const auto devices = list_devices(**driver);
    if (!devices.ok() || devices->empty()) return std::nullopt;
    return fmt::format("sm_{}", devices->front().capability);
  }
};

[[maybe_unused]] const bool registered =
    delegate::register_delegate(kBackend, std::make_unique<Delegate>());

}  // namespace
}  // namespace slipway::cuda

// engine/tuner.h
extern "C" SLIPWAY_API void slipway_tune_engines(slipway::engine::Tuner* tuner) {
  slipway::cuda::tuner = tuner;
}
