#include "runtime/caller_choices.h"

#include <dlfcn.h>
#include <utility>

#include "slipway/cuda.h"

namespace slipway {
namespace {

template <class Value>
struct Choice {
  Value value{};
  bool is_chosen = false;
};
thread_local Choice<void*> stream;
thread_local Choice<int> profile;
thread_local QueuedRun* queued_run = nullptr;

bool caller_stream(void** result) {
  *result = stream.value;
  return stream.is_chosen;
}
bool caller_profile(int* result) {
  *result = profile.value;
  return profile.is_chosen;
}

QueuedRun* caller_queue() { return queued_run; }

template <class Get>
void share(void* library, const char* function, Get* get) {
  using Use = void (*)(Get*);
  const auto use = reinterpret_cast<Use>(::dlsym(library, function));
  if (use != nullptr) use(get);
}

}  // namespace

cuda::StreamGuard::StreamGuard(void* chosen)
    : before_(std::exchange(stream.value, chosen)),
      was_chosen_(std::exchange(stream.is_chosen, true)) {}

cuda::StreamGuard::~StreamGuard() { stream = {before_, was_chosen_}; }

cuda::ProfileGuard::ProfileGuard(int chosen)
    : before_(std::exchange(profile.value, chosen)),
      was_chosen_(std::exchange(profile.is_chosen, true)) {}

cuda::ProfileGuard::~ProfileGuard() { profile = {before_, was_chosen_}; }

runtime::CallerChoices::CallerChoices() {
  if (stream.is_chosen) stream_ = stream.value;
  if (profile.is_chosen) profile_ = profile.value;
}

void runtime::CallerChoices::adopt() const {
  stream = {stream_.value_or(nullptr), stream_.has_value()};
  profile = {profile_.value_or(0), profile_.has_value()};
}

void runtime::share_caller_choices(void* library) {
  share(library, "slipway_use_caller_stream", &caller_stream);
  share(library, "slipway_use_caller_profile", &caller_profile);
  share(library, "slipway_use_caller_queue", &caller_queue);
}

runtime::QueueGuard::QueueGuard(QueuedRun& run) { queued_run = &run; }
runtime::QueueGuard::~QueueGuard() { queued_run = nullptr; }

}  // namespace slipway
