// What the guards of slipway/cuda.h chose in this thread, for the delegates that look at it.
#pragma once

#include <optional>

#include "base/queued_run.h"

namespace slipway::runtime {

// Hands it to the delegate in an opened library, if that wants it: one that has the functions
//   extern "C" void slipway_use_caller_stream(bool (*get)(void** stream));
//   extern "C" void slipway_use_caller_profile(bool (*get)(int* profile));
//   extern "C" void slipway_use_caller_queue(slipway::QueuedRun* (*get)());
// `get` gives false where this thread's caller chose none. Any thread may call it, and `get`.
void share_caller_choices(void* library);

// What this thread's caller chose, for the calls of another one.
class CallerChoices {
 public:
  CallerChoices();  // Those of this thread.
  // Makes them those of this thread, until it ends.
  void adopt() const;

 private:
  std::optional<void*> stream_;
  std::optional<int> profile_;
};

// While it lives, engines that this thread runs may leave the wait for their work to the run.
class QueueGuard {
 public:
  explicit QueueGuard(QueuedRun& run);
  ~QueueGuard();
  QueueGuard(const QueueGuard&) = delete;
  QueueGuard& operator=(const QueueGuard&) = delete;
};

}  // namespace slipway::runtime
