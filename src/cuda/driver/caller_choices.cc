#include "cuda/driver/caller_choices.h"

#include <atomic>
#include <dlfcn.h>

#include "slipway/export.h"

namespace slipway::cuda {
namespace {

using GetStream = bool (*)(void** stream);
std::atomic<GetStream> own_stream{nullptr};
using GetProfile = bool (*)(int* profile);
std::atomic<GetProfile> own_profile{nullptr};
using GetQueue = QueuedRun* (*)();
std::atomic<GetQueue> own_queue{nullptr};

// executorch::extension::cuda::getCallerStream(), of ExecuTorch's libextension_cuda.so.
constexpr const char* kExecuTorch = "_ZN10executorch9extension4cuda15getCallerStreamEv";
using GetExecuTorch = std::optional<void*> (*)();
std::atomic<GetExecuTorch> executorch{nullptr};

}  // namespace

std::optional<void*> caller_stream() {
  void* stream = nullptr;
  if (const GetStream get = own_stream; get != nullptr && get(&stream)) return stream;
  if (const GetExecuTorch get = executorch; get != nullptr) return get();
  return std::nullopt;
}

std::optional<int> caller_profile() {
  int profile = 0;
  if (const GetProfile get = own_profile; get != nullptr && get(&profile)) return profile;
  return std::nullopt;
}

QueuedRun* caller_queue() {
  const GetQueue get = own_queue;
  return get == nullptr ? nullptr : get();
}

void find_executorch_stream() {
  if (executorch != nullptr) return;
  void* found = ::dlsym(RTLD_DEFAULT, kExecuTorch);
  if (found == nullptr) {
    // As Python loads it: for itself alone.
    void* const library = ::dlopen("libextension_cuda.so", RTLD_NOW | RTLD_NOLOAD);
    if (library != nullptr) found = ::dlsym(library, kExecuTorch);
  }
  executorch = reinterpret_cast<GetExecuTorch>(found);
}

}  // namespace slipway::cuda

// How the runtime says what its guards chose (runtime/caller_choices.h).
extern "C" SLIPWAY_API void slipway_use_caller_stream(bool (*get)(void** stream)) {
  slipway::cuda::own_stream = get;
}
extern "C" SLIPWAY_API void slipway_use_caller_queue(slipway::QueuedRun* (*get)()) {
  slipway::cuda::own_queue = get;
}
extern "C" SLIPWAY_API void slipway_use_caller_profile(bool (*get)(int* profile)) {
  slipway::cuda::own_profile = get;
}
