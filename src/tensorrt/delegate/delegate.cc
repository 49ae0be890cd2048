// The backend "TensorRTBackend" of ExecuTorch: runs plans of TensorRT in the blob of Torch-TensorRT
// (docs/formats/tensorrt_blob.md).
//
// It registers itself when libslipway_tensorrt.so is opened, which opens neither TensorRT nor
// NVIDIA's driver: the first engine does. Tensors are bound by position, inputs first.
//
// Compile specs, and load options before them: "target_device" ("cuda:0") says which GPU, where it
// is missing the blob does; "weight_streaming_budget" and "weight_streaming_total", bytes of
// weights on the device, as load options texts of digits or ints. set_option() takes these two for
// the engines of the option "program", or for all; get_option() tells the first in the same way.
// Load options besides: "use_shared_engines", true unless given, and
// "use_shared_activation_scratch", false unless set_option() said otherwise before.
// "use_cuda_graphs" is a compile spec, a load option and one of set_option(), too.

#include <array>
#include <atomic>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <executorch/runtime/backend/interface.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/printable.h"
#include "base/processor.h"
#include "base/try.h"
#include "cuda/options/options.h"
#include "delegate/backend.h"
#include "delegate/registration.h"
#include "engine/description.h"
#include "tensorrt/delegate/budget.h"
#include "tensorrt/delegate/engine.h"
#include "tensorrt/delegate/programs.h"
#include "tensorrt/delegate/refuse.h"
#include "tensorrt/delegate/variants.h"
#include "tensorrt/format/blob.h"
#include "tensorrt/format/description.h"
#include "tensorrt/library/gpu.h"

namespace slipway::tensorrt {
namespace {

namespace et = executorch::runtime;

// What is known of a blob before TensorRT is asked.
struct Request {
  Blob blob;
  std::optional<et::FreeableBuffer> bytes;  // that it is of, or its plan, where they are named data
  int device = 0;
  bool with_graphs = false;
  Budget budget;
  std::string program;
  bool shares_engine = true;
  bool shares_scratch = false;
  // The plan is still to be compared with its SHA-256, and is known to be undamaged by another
  // checksum: that may be done beside TensorRT's work.
  bool is_digest_open = false;
};

// Of engines that are loaded from now on without a load option for it. Any thread may set it.
std::atomic<bool> all_share_scratch{false};

// Where its plan is named data, that of `map`, which `bytes` keeps.
Result<Blob> read_whole(std::span<const std::byte> blob_bytes, const et::NamedDataMap* map,
                        std::optional<et::FreeableBuffer>& bytes) {
  auto blob = read_blob(blob_bytes);
  if (!blob.ok()) return blob.error().with_context("its blob can't be read");
  if (const std::string& key = blob->metadata.engine_key; !key.empty()) {
    auto data = named_data(map, key);
    if (!data.ok()) {
      return data.error().with_context(
          "its engine is not in the file, and not in a data file (.ptd) that was given with it");
    }
    bytes.emplace(*std::move(data));
    blob->plan = bytes_of(*bytes);
  }
  return blob;
}

// Nothing to compare where the blob has no digest.
Status check_digest(const Blob& blob) {
  const std::string& sha256 = blob.metadata.engine_sha256;
  if (sha256.empty() || sha256_hex(blob.plan) == sha256) return {};
  return invalid_file(
      "its plan is damaged: it does not have the SHA-256 that its blob says. Get the file again");
}

Result<Request> read_request(const et::BackendInitContext& context,
                             const et::FreeableBuffer& processed,
                             et::ArrayRef<et::CompileSpec> specs) {
  Request request;
  SLIPWAY_ASSIGN_OR_RETURN(
      request.blob, read_whole(bytes_of(processed), context.get_named_data_map(), request.bytes));
  const auto given = context.runtime_specs();
  const et::ArrayRef<et::BackendOption> options(given.data(), given.size());
  SLIPWAY_ASSIGN_OR_RETURN(const auto device, cuda::device_of(specs, options, kDeviceOption));
  request.device = device.value_or(static_cast<int>(request.blob.metadata.device_id));
  SLIPWAY_ASSIGN_OR_RETURN(const auto program, cuda::text_of(options, engine::kProgramOption));
  request.program = program.value_or(std::string());
  SLIPWAY_ASSIGN_OR_RETURN(const auto is_checked, cuda::flag_of(options, engine::kCheckedOption));
  // What is outside of the program has no other checksum.
  request.is_digest_open = is_checked.value_or(false) && !request.bytes;
  if (!request.is_digest_open) SLIPWAY_RETURN_IF_ERROR(check_digest(request.blob));
  SLIPWAY_ASSIGN_OR_RETURN(const auto shares_engine, cuda::flag_of(options, kShareEnginesOption));
  SLIPWAY_ASSIGN_OR_RETURN(const auto shares_scratch, cuda::flag_of(options, kShareScratchOption));
  request.shares_engine = shares_engine.value_or(true);
  request.shares_scratch = shares_scratch.value_or(all_share_scratch);
  SLIPWAY_ASSIGN_OR_RETURN(request.with_graphs, cuda::wants_graphs(specs, options, kGraphsOption));
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

// Takes the plan that is for this GPU, where the program has one for others, too. kUnavailable
// says what it has and what is here.
Status choose_plan(Request& request, const et::NamedDataMap* map, const Runtime& runtime,
                   const cuda::Device& device) {
  Status own = check_header(runtime, request.blob.plan);
  if (own.ok() || own.error().code() != ErrorCode::kUnavailable) return own;
  std::string has = request.blob.metadata.engine_target;
  const int capability = device.info().capability;
  for (const Variant& variant : find_variants(map, request.blob.metadata.engine_sha256)) {
    if (!has.empty()) has += "; ";
    has += variant.targets;
    if (!is_for(variant.targets, capability)) continue;
    SLIPWAY_ASSIGN_OR_RETURN(et::FreeableBuffer bytes, named_data(map, variant.key));
    std::optional<et::FreeableBuffer> plan_bytes;
    auto blob = read_whole(bytes_of(bytes), map, plan_bytes);
    if (!blob.ok()) return blob.error().with_context(fmt::format("for {}", variant.targets));
    const Status intact = check_digest(*blob);
    if (!intact.ok()) return intact.error().with_context(fmt::format("for {}", variant.targets));
    request.is_digest_open = false;
    request.blob = *std::move(blob);
    request.bytes.emplace(plan_bytes ? std::move(*plan_bytes) : std::move(bytes));
    return check_header(runtime, request.blob.plan);
  }
  return unavailable(
      "{}; {}here is {}: compile the model for sm_{}, too (option 'target')", own.error().message(),
      has.empty() ? "" : fmt::format("the file has engines for {}, and ", printable(has)),
      describe(device.info()), capability);
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

// One that is loaded already and may be shared, or a new one. The runtime's lock is held until it
// is with its engine, so that those who load the same at once find it.
et::Result<std::shared_ptr<Plan>> load_plan(const Request& request,
                                            const std::shared_ptr<SharedRuntime>& runtime,
                                            const cuda::DevicePointer& device) {
  const Metadata& metadata = request.blob.metadata;
  const std::span<const std::byte> bytes = request.blob.plan;
  PlanId id = {metadata.engine_sha256, bytes.size(), request.device, runtime.get()};
  if (request.shares_engine) {
    if (id.sha256.empty()) id.sha256 = sha256_hex(bytes);
    if (auto known = Programs::get().find_plan(id, request.budget)) {
      if (!request.is_digest_open) return known;
      const Status intact = check_digest(request.blob);
      if (!intact.ok()) return refuse(intact.error());
      return known;
    }
  }
  std::future<Status> digest;
  if (request.is_digest_open) {
    digest = std::async([&] { return check_digest(request.blob); });
  }
  auto engine = runtime->runtime().deserialize(bytes);
  if (digest.valid()) {
    const Status intact = digest.get();
    if (!intact.ok()) return refuse(intact.error());
  }
  if (engine.ok()) {
    return std::make_shared<Plan>(runtime, device, *std::move(engine), std::move(id),
                                  request.budget, request.shares_engine);
  }
  if (engine.error().code() == ErrorCode::kResourceExhausted) {
    return refuse(with_memory(engine.error(), *device));
  }
  // Where the digest is known, the plan is as it was made.
  return refuse(engine.error(), metadata.engine_sha256.empty()
                                    ? et::Error::InvalidProgram
                                    : et::Error::DelegateInvalidCompatibility);
}

class Delegate final : public delegate::Backend {
 public:
  Delegate() : Backend(kTitle) {}

 private:
  et::Result<std::unique_ptr<delegate::Engine>> load(
      et::BackendInitContext& context, et::FreeableBuffer& processed,
      et::ArrayRef<et::CompileSpec> specs) const override {
    auto request = read_request(context, processed, specs);
    if (!request.ok()) {
      return request.error().code() == ErrorCode::kNotFound
                 ? refuse(request.error(), et::Error::InvalidExternalData)
                 : refuse(request.error());
    }
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
    const Status chosen =
        choose_plan(*request, context.get_named_data_map(), runtime->runtime(), *device);
    if (!chosen.ok()) {
      return chosen.error().code() == ErrorCode::kUnavailable
                 ? refuse(chosen.error(), et::Error::DelegateInvalidCompatibility)
                 : refuse(chosen.error());
    }
    const auto plan = load_plan(*request, runtime, device);
    if (!plan.ok()) return plan.error();
    auto ports = find_ports(metadata, (*plan)->engine().tensors());
    if (!ports.ok()) return refuse(ports.error());
    auto loaded = LoadedEngine::make(*plan, *std::move(ports), request->program,
                                     request->shares_scratch, request->with_graphs);
    if (!loaded.ok()) return refuse(with_memory(loaded.error(), *device));
    lock.unlock();
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
    const auto program = cuda::text_of(options, engine::kProgramOption);
    if (!program.ok()) return refuse(program.error());
    bool finishes = false;
    for (const et::BackendOption& option : options) {
      const std::string_view key = option.key;
      if (key == engine::kFinishOption) {
        finishes = true;
      } else if (key != kGraphsOption && key != engine::kProgramOption && key != kBudgetOption &&
                 key != kTotalOption && key != kShareScratchOption) {
        return refuse(invalid_argument("it has no option '{}' that can be set after loading", key));
      }
    }
    const auto budget = budget_of_options(options);
    if (!budget.ok()) return refuse(budget.error(), et::Error::InvalidArgument);
    const auto shares_scratch = cuda::flag_of(options, kShareScratchOption);
    if (!shares_scratch.ok()) return refuse(shares_scratch.error());
    const auto graphs = cuda::flag_of(options, kGraphsOption);
    if (!graphs.ok()) return refuse(graphs.error());
    if (*graphs) cuda::set_graphs(**graphs);
    if (*shares_scratch) all_share_scratch = **shares_scratch;
    if (finishes && *program) {
      const Status started = Programs::get().start(**program);
      if (!started.ok()) return refuse(started.error());
    }
    if (!*budget) return et::Error::Ok;
    const Status set = Programs::get().set_budget(*program, **budget);
    return set.ok() ? et::Error::Ok : refuse(set.error());
  }

  et::Error get_option(et::BackendOptionContext& context,
                       et::Span<et::BackendOption>& options) override {
    const auto program = cuda::text_of({options.data(), options.size()}, engine::kProgramOption);
    if (!program.ok()) return refuse(program.error());
    for (et::BackendOption& option : options) {
      const std::string_view key = option.key;
      if (key == engine::kProgramOption) continue;
      if (key == engine::kCudaDeviceOption) {
        const auto device = Programs::get().device(*program);
        if (!device) return et::Error::NotFound;
        option.value = *device;
        continue;
      }
      if (key != kBudgetOption) {
        et::Span<et::BackendOption> other(&option, 1);
        const et::Error error = Backend::get_option(context, other);
        if (error != et::Error::Ok) return error;
        continue;
      }
      const auto budget = Programs::get().budget(*program);
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

[[maybe_unused]] const bool registered =
    delegate::register_delegate(kBackend, std::make_unique<Delegate>());

}  // namespace
}  // namespace slipway::tensorrt
