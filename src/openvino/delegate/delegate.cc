// The backend "OpenvinoBackend" of ExecuTorch: runs what OpenVINO's export_model wrote.
//
// It registers itself when libslipway_openvino.so is opened, and takes the same files as the
// delegate that ExecuTorch brings: the processed bytes are the export and nothing else, tensors are
// bound by position, inputs first.
//
// Compile specs: "device" names OpenVINO's device, "CPU" without it; "precision" allows "bf16" or
// "f16" in place of "f32", which OpenVINO would else choose for itself on some CPUs; "size_inputs"
// and "output_sizes" (openvino/shim/size_inputs.h).
// Load-time options: "num_threads" (int), "performance_hint" ("latency" or "throughput"), "profile"
// (bool): runs measure each layer. "use_shared_engines" (bool): openvino/delegate/model.h.

#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/platform/log.h>

#include "delegate/backend.h"
#include "delegate/log.h"
#include "delegate/registration.h"
#include "openvino/delegate/engine.h"
#include "openvino/delegate/model.h"
#include "openvino/shim/processor.h"
#include "openvino/shim/shim.h"

namespace slipway::openvino {
namespace {

namespace et = executorch::runtime;

std::string spec_value(et::ArrayRef<et::CompileSpec> specs, std::string_view key,
                       std::string fallback) {
  for (const et::CompileSpec& spec : specs) {
    if (spec.key != key) continue;
    std::string value(static_cast<const char*>(spec.value.buffer), spec.value.nbytes);
    while (!value.empty() && value.back() == '\0') value.pop_back();
    return value;
  }
  return fallback;
}

bool is_profiled(const et::BackendInitContext& context) {
  const auto profile = context.get_runtime_spec<bool>("profile");
  return profile.ok() && *profile;
}

// OpenVINO's name and value for each load-time option that is given.
et::Result<std::vector<shim::Property>> load_options(const et::BackendInitContext& context,
                                                     std::string* number) {
  std::vector<shim::Property> properties;
  const auto threads = context.get_runtime_spec<int>("num_threads");
  if (threads.ok() && *threads > 0) {
    *number = std::to_string(*threads);
    properties.push_back({"INFERENCE_NUM_THREADS", number->c_str()});
  } else if (threads.error() != et::Error::NotFound) {
    ET_LOG(Error, "%s: num_threads must be an int above 0", kTitle);
    return et::Error::InvalidArgument;
  }
  const auto hint = context.get_runtime_spec<const char*>("performance_hint");
  if (hint.ok() && std::string_view(*hint) == "latency") {
    properties.push_back({"PERFORMANCE_HINT", "LATENCY"});
  } else if (hint.ok() && std::string_view(*hint) == "throughput") {
    properties.push_back({"PERFORMANCE_HINT", "THROUGHPUT"});
  } else if (hint.error() != et::Error::NotFound) {
    ET_LOG(Error, "%s: performance_hint must be \"latency\" or \"throughput\"", kTitle);
    return et::Error::InvalidArgument;
  }
  if (is_profiled(context)) properties.push_back({"PERF_COUNT", "YES"});
  return properties;
}

// What a shared model measures is of all who share it.
et::Result<bool> shares_engine(const et::BackendInitContext& context) {
  const auto shares = context.get_runtime_spec<bool>("use_shared_engines");
  if (shares.ok()) return *shares && !is_profiled(context);
  if (shares.error() == et::Error::NotFound) return false;
  ET_LOG(Error, "%s: the option use_shared_engines must be true or false", kTitle);
  return et::Error::InvalidArgument;
}

class Delegate final : public delegate::Backend {
 public:
  Delegate() : Backend(kTitle) {}

 private:
  // The processed bytes stay: OpenVINO uses them in place until the model is destroyed.
  et::Result<std::unique_ptr<delegate::Engine>> load(
      et::BackendInitContext& context, et::FreeableBuffer& processed,
      et::ArrayRef<et::CompileSpec> specs) const override {
    std::string number;
    auto options = load_options(context, &number);
    if (!options.ok()) return options.error();
    const auto shares = shares_engine(context);
    if (!shares.ok()) return shares.error();
    const std::string device = spec_value(specs, "device", "CPU");
    const std::string precision = spec_value(specs, "precision", "f32");
    if (precision != "f32" && precision != "bf16" && precision != "f16") {
      ET_LOG(Error, "%s: precision must be f32, bf16 or f16", kTitle);
      return et::Error::DelegateInvalidCompatibility;
    }
    const std::string features = spec_value(specs, kAnyFeature, "");
    if (!features.empty() && !has_any_feature(features)) {
      delegate::log_error(kTitle, "its int8 products need a processor with one of " + features +
                                      ", and would be wrong on this one: compile the model on it");
      return et::Error::DelegateInvalidCompatibility;
    }
    options->push_back({"INFERENCE_PRECISION_HINT", precision.c_str()});
    // Or activations that meet int8 weights would be rounded to int8, too.
    options->push_back({"EXECUTION_MODE_HINT", precision == "f32" ? "ACCURACY" : "PERFORMANCE"});
    auto size_inputs = parse_size_inputs(spec_value(specs, kSizeInputs, ""));
    if (!size_inputs) {
      ET_LOG(Error, "%s: its list of sizes can't be read", kTitle);
      return et::Error::DelegateInvalidCompatibility;
    }
    auto output_sizes = OutputSizes::parse(spec_value(specs, kOutputSizes, ""));
    if (!output_sizes) {
      ET_LOG(Error, "%s: the sizes of its outputs can't be read", kTitle);
      return et::Error::DelegateInvalidCompatibility;
    }
    const shim::Properties properties = {options->data(), options->size()};
    auto model = *shares ? share_model(processed, device, properties)
                         : import_model(processed, device, properties);
    if (model == nullptr) return et::Error::DelegateInvalidCompatibility;
    auto engine = Engine::load(std::move(model), std::move(*size_inputs), std::move(*output_sizes));
    if (engine == nullptr) return et::Error::DelegateInvalidCompatibility;
    const std::lock_guard<std::mutex> lock(mutex_);
    threads_ = std::atoi(engine->property("INFERENCE_NUM_THREADS").c_str());
    hint_ = engine->property("PERFORMANCE_HINT");
    for (char& c : hint_) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return std::unique_ptr<delegate::Engine>(std::move(engine));
  }

  // "library_version" as OpenVINO has it; "capabilities" of the processor; "num_threads" (int) and
  // "performance_hint" as it has them for the engine that was loaded last in this process; 0 and ""
  // before one is.
  std::optional<Setting> setting(std::string_view key) const override {
    if (key == "library_version") return slipway_openvino()->version();
    if (key == "capabilities") return capabilities();
    const std::lock_guard<std::mutex> lock(mutex_);
    if (key == "num_threads") return threads_;
    if (key == "performance_hint") return hint_;
    return std::nullopt;
  }

  mutable std::mutex mutex_;
  mutable int threads_ = 0;
  mutable std::string hint_;
};

[[maybe_unused]] const bool registered =
    delegate::register_delegate("OpenvinoBackend", std::make_unique<Delegate>());

}  // namespace
}  // namespace slipway::openvino
