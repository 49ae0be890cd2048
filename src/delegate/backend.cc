#include "delegate/backend.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "delegate/log.h"

namespace slipway::delegate {

namespace et = executorch::runtime;

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
    auto& engine = *static_cast<Engine*>(handle);
    const et::Error error = engine.run(arguments);
    et::EventTracer* const tracer = context.event_tracer();
    if (error == et::Error::Ok && tracer != nullptr) engine.tell_layers(*tracer);
    return error;
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
