// The backend "OpenvinoBackend" of ExecuTorch: runs what OpenVINO's export_model wrote.
//
// It registers itself when libslipway_openvino.so is opened, and takes the same files as the
// delegate that ExecuTorch brings: the processed bytes are the export and nothing else, tensors are
// bound by position, inputs first.
//
// Compile specs: "device" names OpenVINO's device, "CPU" without it; "precision" allows "bf16" or
// "f16" in place of "f32", which OpenVINO would else choose for itself on some CPUs; "size_inputs"
// and "output_sizes" (openvino/shim/size_inputs.h).
// Load-time options: "num_threads" (int), "performance_hint" ("latency" or "throughput").

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/platform/log.h>

#include "openvino/delegate/engine.h"
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

// OpenVINO's name and value for each load-time option that is given.
et::Result<std::vector<shim::Property>> load_options(const et::BackendInitContext& context,
                                                     std::string* number) {
  std::vector<shim::Property> properties;
  const auto threads = context.get_runtime_spec<int>("num_threads");
  if (threads.ok() && *threads > 0) {
    *number = std::to_string(*threads);
    properties.push_back({"INFERENCE_NUM_THREADS", number->c_str()});
  } else if (threads.error() != et::Error::NotFound) {
    ET_LOG(Error, "OpenVINO engine: num_threads must be an int above 0");
    return et::Error::InvalidArgument;
  }
  const auto hint = context.get_runtime_spec<const char*>("performance_hint");
  if (hint.ok() && std::string_view(*hint) == "latency") {
    properties.push_back({"PERFORMANCE_HINT", "LATENCY"});
  } else if (hint.ok() && std::string_view(*hint) == "throughput") {
    properties.push_back({"PERFORMANCE_HINT", "THROUGHPUT"});
  } else if (hint.error() != et::Error::NotFound) {
    ET_LOG(Error, "OpenVINO engine: performance_hint must be \"latency\" or \"throughput\"");
    return et::Error::InvalidArgument;
  }
  return properties;
}

using OptionText = std::array<char, et::kMaxOptionValueLength>;

OptionText to_value(const std::string& text) {
  OptionText value{};
  std::copy_n(text.begin(), std::min(text.size(), value.size() - 1), value.begin());
  return value;
}

class Delegate final : public et::BackendInterface {
 public:
  bool is_available() const override { return true; }

  // The processed bytes stay: OpenVINO uses them in place until the engine is destroyed.
  et::Result<et::DelegateHandle*> init(et::BackendInitContext& context,
                                       et::FreeableBuffer* processed,
                                       et::ArrayRef<et::CompileSpec> specs) const override {
    try {
      std::string number;
      auto options = load_options(context, &number);
      if (!options.ok()) return options.error();
      const std::string device = spec_value(specs, "device", "CPU");
      const std::string precision = spec_value(specs, "precision", "f32");
      if (precision != "f32" && precision != "bf16" && precision != "f16") {
        ET_LOG(Error, "OpenVINO engine: precision must be f32, bf16 or f16");
        return et::Error::DelegateInvalidCompatibility;
      }
      const std::string features = spec_value(specs, kAnyFeature, "");
      if (!features.empty() && !has_any_feature(features)) {
        ET_LOG(Error,
               "OpenVINO engine: its int8 products need a processor with one of %s, and would be "
               "wrong on this one: compile the model on it",
               features.c_str());
        return et::Error::DelegateInvalidCompatibility;
      }
      options->push_back({"INFERENCE_PRECISION_HINT", precision.c_str()});
      // Or activations that meet int8 weights would be rounded to int8, too.
      options->push_back({"EXECUTION_MODE_HINT", precision == "f32" ? "ACCURACY" : "PERFORMANCE"});
      auto size_inputs = parse_size_inputs(spec_value(specs, kSizeInputs, ""));
      if (!size_inputs) {
        ET_LOG(Error, "OpenVINO engine: its list of sizes can't be read");
        return et::Error::DelegateInvalidCompatibility;
      }
      auto output_sizes = OutputSizes::parse(spec_value(specs, kOutputSizes, ""));
      if (!output_sizes) {
        ET_LOG(Error, "OpenVINO engine: the sizes of its outputs can't be read");
        return et::Error::DelegateInvalidCompatibility;
      }
      auto engine = Engine::load(processed->data(), processed->size(), device,
                                 {options->data(), options->size()}, std::move(*size_inputs),
                                 std::move(*output_sizes));
      if (engine == nullptr) return et::Error::DelegateInvalidCompatibility;
      const std::lock_guard<std::mutex> lock(mutex_);
      threads_ = engine->property("INFERENCE_NUM_THREADS");
      hint_ = engine->property("PERFORMANCE_HINT");
      return engine.release();
    } catch (const std::exception& exception) {
      ET_LOG(Error, "OpenVINO engine: %s", exception.what());
      return et::Error::MemoryAllocationFailed;
    }
  }

  et::Error execute(et::BackendExecutionContext& /*context*/, et::DelegateHandle* handle,
                    et::Span<et::EValue*> arguments) const override {
    try {
      return static_cast<Engine*>(handle)->run(arguments);
    } catch (const std::exception& exception) {
      ET_LOG(Error, "OpenVINO engine: %s", exception.what());
      return et::Error::MemoryAllocationFailed;
    }
  }

  // "library_version" as OpenVINO has it; "capabilities" of the processor; "num_threads" (int) and
  // "performance_hint" as it has them for the engine that was loaded last in this process; 0 and ""
  // before one is.
  et::Error get_option(et::BackendOptionContext& /*context*/,
                       et::Span<et::BackendOption>& options) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (et::BackendOption& option : options) {
      const std::string_view key = option.key;
      if (key == "num_threads") {
        option.value = threads_.empty() ? 0 : std::atoi(threads_.c_str());
      } else if (key == "performance_hint") {
        std::string hint = hint_;
        for (char& c : hint) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        option.value = to_value(hint);
      } else if (key == "library_version") {
        option.value = to_value(slipway_openvino()->version());
      } else if (key == "capabilities") {
        option.value = to_value(capabilities());
      } else {
        return et::Error::NotFound;
      }
    }
    return et::Error::Ok;
  }

  void destroy(et::DelegateHandle* handle) const override { delete static_cast<Engine*>(handle); }

 private:
  mutable std::mutex mutex_;
  mutable std::string threads_;
  mutable std::string hint_;
};

// Refused where another delegate of this name is registered already: then that one stays. Never
// destroyed, because programs may end later than static destructors run.
Delegate* const delegate = new Delegate();
[[maybe_unused]] const et::Error registered = et::register_backend({"OpenvinoBackend", delegate});

}  // namespace
}  // namespace slipway::openvino
