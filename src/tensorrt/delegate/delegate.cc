// The backend "TensorRTBackend" of ExecuTorch: runs plans of TensorRT in the blob of Torch-TensorRT
// (docs/formats/tensorrt_blob.md).
//
// It registers itself when libslipway_tensorrt.so is opened, which opens neither TensorRT nor
// NVIDIA's driver: the first engine does. Tensors are bound by position, inputs first.
//
// Compile specs: "target_device" ("cuda:0") says which GPU, where it is missing the blob does;
// "weight_streaming_budget" and "weight_streaming_total", bytes of weights on the device. Load
// options and options of set_option(): the same, texts of digits or ints; there they are for the
// engines of the option "program", or for all. get_option() tells "weight_streaming_budget" in the
// same way. "use_cuda_graphs" is a compile spec, a load option and one of set_option(), too.

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <executorch/runtime/backend/interface.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/try.h"
#include "delegate/backend.h"
#include "engine/description.h"
#include "tensorrt/delegate/budget.h"
#include "tensorrt/delegate/engine.h"
#include "tensorrt/delegate/graphs_option.h"
#include "tensorrt/delegate/programs.h"
#include "tensorrt/delegate/refuse.h"
#include "tensorrt/format/blob.h"
#include "tensorrt/format/description.h"
#include "tensorrt/library/gpu.h"

namespace slipway::tensorrt {
namespace {

namespace et = executorch::runtime;

constexpr std::string_view kPlatform = "linux_x86_64";

// What is known of a blob before TensorRT is asked.
struct Request {
  Blob blob;
  int device = 0;
  bool with_graphs = false;
  Budget budget;
  std::string program;
};

// The text of an option; nothing where it is not there, or no text.
std::optional<std::string> text_of(et::ArrayRef<et::BackendOption> options, std::string_view key) {
  for (const et::BackendOption& option : options) {
    const auto* text = std::get_if<std::array<char, et::kMaxOptionValueLength>>(&option.value);
    if (key == option.key && text != nullptr) return std::string(text->data());
  }
  return std::nullopt;
}

Result<int> device_of(const Metadata& metadata, et::ArrayRef<et::CompileSpec> specs) {
  std::optional<std::string> named;
  for (const et::CompileSpec& spec : specs) {
    if (std::string_view(spec.key) != "target_device") continue;
    if (named) return invalid_file("the file has the compile spec target_device twice");
    named.emplace(static_cast<const char*>(spec.value.buffer), spec.value.nbytes);
  }
  if (!named) return static_cast<int>(metadata.device_id);
  std::string_view text = *named;
  if (text == "cuda") return 0;
  int index = -1;
  if (text.starts_with("cuda:")) {
    text.remove_prefix(std::string_view("cuda:").size());
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), index);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) index = -1;
  }
  if (index >= 0) return index;
  return invalid_file("the file's compile spec target_device is '{}', and must be such as 'cuda:0'",
                      *named);
}

Result<Request> read_request(const et::BackendInitContext& context,
                             const et::FreeableBuffer& processed,
                             et::ArrayRef<et::CompileSpec> specs) {
  Request request;
  auto blob = read_blob({static_cast<const std::byte*>(processed.data()), processed.size()});
  if (!blob.ok()) return blob.error().with_context("its blob can't be read");
  request.blob = *std::move(blob);
  const std::string& sha256 = request.blob.metadata.engine_sha256;
  if (!sha256.empty() && sha256_hex(request.blob.plan) != sha256) {
    return invalid_file(
        "its plan is damaged: it does not have the SHA-256 that its blob says. Get the file again");
  }
  SLIPWAY_ASSIGN_OR_RETURN(request.device, device_of(request.blob.metadata, specs));
  SLIPWAY_ASSIGN_OR_RETURN(request.with_graphs, wants_graphs(context, specs));
  const auto options = context.runtime_specs();
  request.program =
      text_of({options.data(), options.size()}, engine::kProgramOption).value_or(std::string());
  SLIPWAY_ASSIGN_OR_RETURN(request.budget,
                           requested_budget(context, specs, !request.program.empty()));
  return request;
}

// Why the plan is not for this machine, of what its header says.
Status check_header(const Runtime& runtime, std::span<const std::byte> plan) {
  const auto size = runtime.header_size();
  if (!size) return {};
  if (plan.size() < *size) return invalid_file("its plan is cut short: {} bytes", plan.size());
  SLIPWAY_ASSIGN_OR_RETURN(const Validity validity, runtime.validity(plan.first(*size)));
  if ((validity.diagnostics & Validity::kMalformed) != 0) {
    return invalid_file("{} does not know the header of its plan", runtime.version().name());
  }
  if (validity.state != Validity::State::kInvalid) return {};
  return unavailable("its plan does not run with {} on this machine: {}", runtime.version().name(),
                     (validity.diagnostics & Validity::kComputeCapability) != 0
                         ? "it is not for this GPU's compute capability"
                         : validity.message);
}

// A machine may lack both, and who is told of one alone asks twice.
Result<std::pair<std::shared_ptr<SharedRuntime>, cuda::DevicePointer>> open_machine(int index) {
  auto runtime = SharedRuntime::open();
  auto device = cuda::Device::open(index);
  if (runtime.ok() && device.ok()) return std::pair(*std::move(runtime), *std::move(device));
  if (runtime.ok()) return device.error();
  if (device.ok()) return runtime.error();
  return Error(runtime.error().code(),
               fmt::format("{}. And: {}", runtime.error().message(), device.error().message()));
}

class Delegate final : public delegate::Backend {
 public:
  Delegate() : Backend(kTitle) {}

 private:
  et::Result<std::unique_ptr<delegate::Engine>> load(
      et::BackendInitContext& context, const et::FreeableBuffer& processed,
      et::ArrayRef<et::CompileSpec> specs) const override {
    const auto request = read_request(context, processed, specs);
    if (!request.ok()) return refuse(request.error());
    const Metadata& metadata = request->blob.metadata;
    const std::string& platform = metadata.target_platform;
    if (!platform.empty() && platform != "unknown" && platform != kPlatform) {
      return refuse(unsupported("it is for {}, and this is {}", platform, kPlatform),
                    et::Error::DelegateInvalidCompatibility);
    }
    const auto machine = open_machine(request->device);
    if (!machine.ok()) return refuse(machine.error());
    const auto& [runtime, device] = *machine;
    const auto current = device->make_current();
    if (!current.ok()) return refuse(current.error());
    auto lock = runtime->lock();
    const Status here = check_header(runtime->runtime(), request->blob.plan);
    if (!here.ok()) {
      return here.error().code() == ErrorCode::kUnavailable
                 ? refuse(here.error(), et::Error::DelegateInvalidCompatibility)
                 : refuse(here.error());
    }
    auto engine = runtime->runtime().deserialize(request->blob.plan);
    if (!engine.ok()) {
      if (engine.error().code() == ErrorCode::kResourceExhausted) {
        return refuse(with_memory(engine.error(), *device));
      }
      // Where the digest is known, the plan is as it was made.
      return refuse(engine.error(), metadata.engine_sha256.empty()
                                        ? et::Error::InvalidProgram
                                        : et::Error::DelegateInvalidCompatibility);
    }
    auto ports = find_ports(metadata, engine->tensors());
    if (!ports.ok()) return refuse(ports.error());
    lock.unlock();
    auto loaded = LoadedEngine::make(runtime, device, *std::move(engine), *std::move(ports),
                                     request->budget, request->program, request->with_graphs);
    if (!loaded.ok()) return refuse(with_memory(loaded.error(), *device));
    // Those of a program are started together, once all are loaded.
    if (request->program.empty()) {
      const Status started = Programs::get().start(loaded->get());
      if (!started.ok()) return refuse(started.error());
    }
    return std::unique_ptr<delegate::Engine>(*std::move(loaded));
  }

  et::Error set_option(et::BackendOptionContext& /*context*/,
                       const et::Span<et::BackendOption>& given) override {
    const et::ArrayRef<et::BackendOption> options(given.data(), given.size());
    const auto program = text_of(options, engine::kProgramOption);
    bool finishes = false;
    const et::BackendOption* graphs = nullptr;
    for (const et::BackendOption& option : options) {
      const std::string_view key = option.key;
      if (key == engine::kFinishOption) {
        finishes = true;
      } else if (key == kGraphsOption) {
        graphs = &option;
      } else if (key != engine::kProgramOption && key != kBudgetOption && key != kTotalOption) {
        return refuse(invalid_argument("it has no option '{}' that can be set after loading", key));
      }
    }
    const auto budget = budget_of_options(options);
    if (!budget.ok()) return refuse(budget.error(), et::Error::InvalidArgument);
    if (graphs != nullptr) {
      const Status set = set_graphs(*graphs);
      if (!set.ok()) return refuse(set.error());
    }
    if (finishes && program) {
      const Status started = Programs::get().start(*program);
      if (!started.ok()) return refuse(started.error());
    }
    if (!*budget) return et::Error::Ok;
    const Status set = Programs::get().set_budget(program, **budget);
    return set.ok() ? et::Error::Ok : refuse(set.error());
  }

  et::Error get_option(et::BackendOptionContext& context,
                       et::Span<et::BackendOption>& options) override {
    const auto program = text_of({options.data(), options.size()}, engine::kProgramOption);
    for (et::BackendOption& option : options) {
      const std::string_view key = option.key;
      if (key == engine::kProgramOption) continue;
      if (key != kBudgetOption) {
        et::Span<et::BackendOption> other(&option, 1);
        const et::Error error = Backend::get_option(context, other);
        if (error != et::Error::Ok) return error;
        continue;
      }
      const auto budget = Programs::get().budget(program);
      if (!budget.ok()) return refuse(budget.error());
      auto& text = option.value.emplace<std::array<char, et::kMaxOptionValueLength>>();
      std::to_chars(text.data(), text.data() + text.size() - 1, *budget);
    }
    return et::Error::Ok;
  }

  // "library_version" as records of engines have it; "capabilities": of the first GPU, "sm_90".
  std::optional<Setting> setting(std::string_view key) const override {
    if (key == "library_version") {
      const auto library = Library::open({.with_parser = false});
      return library.ok() ? std::optional<Setting>(library->get()->version().name()) : std::nullopt;
    }
    if (key == "capabilities") return own_target();
    return std::nullopt;
  }
};

// Refused where another delegate of this name is registered already: then that one stays. Never
// destroyed, because programs may end later than static destructors run.
[[maybe_unused]] const et::Error registered = et::register_backend({kBackend, new Delegate()});

}  // namespace
}  // namespace slipway::tensorrt
