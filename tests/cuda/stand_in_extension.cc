// A stand-in for ExecuTorch's libextension_cuda.so: the stream that a caller chose.

#include <optional>

namespace {
thread_local std::optional<void*> chosen;
}

namespace executorch::extension::cuda {
std::optional<void*> getCallerStream() { return chosen; }
}  // namespace executorch::extension::cuda

extern "C" void slipway_choose_stream(bool is_chosen, void* stream) {
  chosen = is_chosen ? std::optional<void*>(stream) : std::nullopt;
}
