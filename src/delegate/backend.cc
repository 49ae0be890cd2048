#include "delegate/backend.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "delegate/log.h"

namespace slipway::delegate {

namespace et = executorch::runtime;

// ExecuTorch's ETDumpGen aborts on a name with an index.
void tell_layer(et::EventTracer& tracer, const std::string& name, const std::string& kind,
                std::chrono::nanoseconds duration) {
  const auto ticks = static_cast<et_timestamp_t>(duration.count());
  tracer.log_profiling_delegate(name.c_str(), et::kUnsetDelegateDebugIntId, 0, ticks, kind.data(),
                                kind.size());
}

et::Result<et::DelegateHandle*> Backend::init(et::BackendInitContext& context,
                                              et::FreeableBuffer* processed,
                                              et::ArrayRef<et::CompileSpec> specs) const {
  try {
    auto engine = load(context, *processed, specs);
    if (!engine.ok()) return engine.error();
    return static_cast<et::DelegateHandle*>(engine->release());
  } catch (const std::exception& exception) {
    log_error(title_, exception.what());
    return et::Error::MemoryAllocationFailed;
  }
}

et::Error Backend::execute(et::BackendExecutionContext& context, et::DelegateHandle* handle,
                           et::Span<et::EValue*> arguments) const {
  try {
    return static_cast<Engine*>(handle)->run(arguments, context.event_tracer());
  } catch (const std::exception& exception) {
    log_error(title_, exception.what());
    return et::Error::MemoryAllocationFailed;
  }
}

et::Error Backend::get_option(et::BackendOptionContext& /*context*/,
                              et::Span<et::BackendOption>& options) {
  for (et::BackendOption& option : options) {
    const auto told = setting(option.key);
    if (!told) return et::Error::NotFound;
    if (const int* number = std::get_if<int>(&*told)) {
      option.value = *number;
      continue;
    }
    const auto& text = std::get<std::string>(*told);
    std::array<char, et::kMaxOptionValueLength> value{};
    if (text.size() >= value.size()) return et::Error::NotFound;
    std::copy(text.begin(), text.end(), value.begin());
    option.value = value;
  }
  return et::Error::Ok;
}

void Backend::destroy(et::DelegateHandle* handle) const { delete static_cast<Engine*>(handle); }

}  // namespace slipway::delegate
