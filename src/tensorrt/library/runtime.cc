#include "tensorrt/library/runtime.h"

#include "base/error.h"

namespace slipway::tensorrt {

Result<Runtime> Runtime::create(LibraryPointer library) {
  auto log = Log::acquire();
  const Version version = library->version();
  auto* const object = static_cast<Object*>(library->create_runtime(log->interface(version)));
  if (object == nullptr) {
    return log->error(ErrorCode::kUnavailable,
                      fmt::format("{} makes no runtime on this machine", version.name()));
  }
  return Runtime(make_session(std::move(library), std::move(log), object));
}

std::optional<size_t> Runtime::header_size() const {
  const Version version = session_->version();
  if (slot(Method::VRuntime_getEngineHeaderSize).of(version) < 0) return std::nullopt;
  const int64_t size = call<Method::VRuntime_getEngineHeaderSize>(version, session_->factory.get());
  return size > 0 ? std::optional<size_t>(static_cast<size_t>(size)) : std::nullopt;
}

Result<Validity> Runtime::validity(std::span<const std::byte> header) const {
  const auto size = header_size();
  if (!size) {
    return unsupported("{} does not check the header of a plan", session_->version().name());
  }
  if (header.size() < *size) {
    return invalid_file("a plan of {} begins with a header of {} bytes; here are {}",
                        session_->version().name(), *size, header.size());
  }
  session_->log->start();
  uint64_t diagnostics = 0;  // TensorRT leaves them alone where it found nothing malformed.
  const int32_t state = call<Method::VRuntime_getEngineValidity>(
      session_->version(), session_->factory.get(), header.data(), static_cast<int64_t>(*size),
      &diagnostics);
  if (state < 0 || state > static_cast<int32_t>(Validity::State::kInvalid)) {
    return internal_error("{} gives a plan the unknown validity {}", session_->version().name(),
                          state);
  }
  return Validity{static_cast<Validity::State>(state), diagnostics, session_->log->first_error()};
}

Result<Engine> Runtime::deserialize(std::span<const std::byte> plan) const {
  session_->log->start();
  Object* const engine = call<Method::VRuntime_deserializeCudaEngine>(
      session_->version(), session_->factory.get(), plan.data(), plan.size());
  if (engine == nullptr) {
    return session_->log->error(
        ErrorCode::kUnavailable,
        fmt::format("{} does not load the plan on this machine", session_->version().name()));
  }
  return Engine(session_, engine);
}

}  // namespace slipway::tensorrt
