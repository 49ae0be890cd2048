#include "runtime/caller_stream.h"

#include <dlfcn.h>
#include <utility>

#include "slipway/cuda.h"

namespace slipway {
namespace {

thread_local void* chosen = nullptr;
thread_local bool is_chosen = false;

bool caller_stream(void** stream) {
  *stream = chosen;
  return is_chosen;
}

}  // namespace

cuda::StreamGuard::StreamGuard(void* stream)
    : before_(std::exchange(chosen, stream)), was_chosen_(std::exchange(is_chosen, true)) {}

cuda::StreamGuard::~StreamGuard() {
  chosen = before_;
  is_chosen = was_chosen_;
}

void runtime::share_caller_stream(void* library) {
  using Use = void (*)(bool (*)(void**));
  const auto use = reinterpret_cast<Use>(::dlsym(library, "slipway_use_caller_stream"));
  if (use != nullptr) use(&caller_stream);
}

}  // namespace slipway
