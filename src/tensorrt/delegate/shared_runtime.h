// The one runtime of TensorRT that all engines of a process are read by.
#pragma once

#include <memory>
#include <mutex>

#include "slipway/result.h"
#include "tensorrt/library/library.h"
#include "tensorrt/library/runtime.h"

namespace slipway::tensorrt {

// Any thread may use it, but for what the lock is for.
class SharedRuntime {
 public:
  // That of the library which is found now. kUnavailable says how to get one.
  static Result<std::shared_ptr<SharedRuntime>> open();

  Version version() const { return runtime_.version(); }
  // Held while an engine is read.
  std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }
  const Runtime& runtime() const { return runtime_; }

 private:
  explicit SharedRuntime(Runtime runtime) : runtime_(std::move(runtime)) {}
  std::mutex mutex_;
  Runtime runtime_;
};

}  // namespace slipway::tensorrt
