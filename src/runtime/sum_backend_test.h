// A backend for tests: its engines add up their float32 inputs, which have as many elements, and
// give the sum once, twice, ... An engine's bytes are kSumEngine and anything behind it, and the
// compile spec "inputs" is how many it has.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>

namespace slipway::runtime {

inline constexpr const char* kSumBackend = "SumBackend";
inline constexpr const char* kSumEngine = "sum";

class SumBackend final : public executorch::runtime::BackendInterface {
 public:
  // Registered when it is first asked for.
  static SumBackend& get() {
    static SumBackend backend;
    [[maybe_unused]] static const auto registered =
        executorch::runtime::register_backend({kSumBackend, &backend});
    return backend;
  }

  // What the latest init was given.
  mutable size_t inits = 0;
  mutable const void* bytes = nullptr;
  mutable std::vector<std::pair<std::string, std::string>> specs;
  mutable bool specs_end_with_nul = true;

  // What it tells of each run that is profiled: names and nanoseconds.
  std::vector<std::pair<std::string, uint64_t>> layers;

  // Empty: it does not tell.
  std::string version;
  std::string capabilities;

  bool is_available() const override { return true; }

  executorch::runtime::Error get_option(
      executorch::runtime::BackendOptionContext&,
      executorch::runtime::Span<executorch::runtime::BackendOption>& options) override {
    for (auto& option : options) {
      const bool is_version = std::strcmp(option.key, "library_version") == 0;
      const bool is_capabilities = std::strcmp(option.key, "capabilities") == 0;
      const std::string answer = is_version ? version : is_capabilities ? capabilities : "";
      if (answer.empty()) return executorch::runtime::Error::NotFound;
      std::array<char, executorch::runtime::kMaxOptionValueLength> text{};
      std::strncpy(text.data(), answer.c_str(), text.size() - 1);
      option.value = text;
    }
    return executorch::runtime::Error::Ok;
  }

  executorch::runtime::Result<executorch::runtime::DelegateHandle*> init(
      executorch::runtime::BackendInitContext&, executorch::runtime::FreeableBuffer* processed,
      executorch::runtime::ArrayRef<executorch::runtime::CompileSpec> compile_specs)
      const override {
    ++inits;
    bytes = processed->data();
    specs.clear();
    for (const auto& spec : compile_specs) {
      const auto* text = static_cast<const char*>(spec.value.buffer);
      specs.emplace_back(spec.key, std::string(text, spec.value.nbytes));
      specs_end_with_nul = specs_end_with_nul && text[spec.value.nbytes] == '\0';
    }
    if (processed->size() < std::strlen(kSumEngine) ||
        std::memcmp(bytes, kSumEngine, std::strlen(kSumEngine)) != 0) {
      return executorch::runtime::Error::DelegateInvalidCompatibility;
    }
    uintptr_t inputs = 0;
    for (const auto& [key, value] : specs) {
      if (key == "inputs") inputs = std::strtoul(value.c_str(), nullptr, 10);
    }
    return reinterpret_cast<executorch::runtime::DelegateHandle*>(inputs + 1);
  }

  executorch::runtime::Error execute(
      executorch::runtime::BackendExecutionContext& context,
      executorch::runtime::DelegateHandle* handle,
      executorch::runtime::Span<executorch::runtime::EValue*> args) const override {
    const size_t inputs = reinterpret_cast<uintptr_t>(handle) - 1;
    if (inputs == 0 || inputs > args.size()) return executorch::runtime::Error::InvalidArgument;
    for (const auto* arg : args) {
      if (!arg->isTensor() ||
          arg->toTensor().scalar_type() != executorch::aten::ScalarType::Float) {
        return executorch::runtime::Error::InvalidArgument;
      }
    }
    const auto& first = args[0]->toTensor();
    for (size_t i = inputs; i < args.size(); ++i) {
      auto& out = args[i]->toTensor();
      if (out.numel() != first.numel() && executorch::runtime::resize_tensor(out, first.sizes()) !=
                                              executorch::runtime::Error::Ok) {
        return executorch::runtime::Error::InvalidArgument;
      }
      // At once, so that a result in the memory of an input is noticed.
      if (out.nbytes() > 0) std::memset(out.mutable_data_ptr(), 0, out.nbytes());
      for (size_t j = 0; j < inputs; ++j) {
        const auto& in = args[j]->toTensor();
        if (in.numel() != out.numel()) return executorch::runtime::Error::InvalidArgument;
        for (ssize_t k = 0; k < out.numel(); ++k) {
          out.mutable_data_ptr<float>()[k] +=
              static_cast<float>(i - inputs + 1) * in.const_data_ptr<float>()[k];
        }
      }
    }
    for (const auto& [name, time] : layers) {
      if (context.event_tracer() == nullptr) continue;
      context.event_tracer()->log_profiling_delegate(
          name.c_str(), executorch::runtime::kUnsetDelegateDebugIntId, 0, time, nullptr, 0);
    }
    return executorch::runtime::Error::Ok;
  }
};

}  // namespace slipway::runtime
