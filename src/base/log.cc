#include "base/log.h"

#include <atomic>
#include <memory>
#include <mutex>

namespace slipway {
namespace {

// Above all levels: nobody is told.
constexpr int kSilent = static_cast<int>(LogLevel::kError) + 1;
std::atomic<int> least_logged{kSilent};

struct Sink {
  std::mutex mutex;
  std::shared_ptr<const LogCallback> callback;
};

// Never destroyed: threads may log until the process ends.
Sink& sink() {
  static auto* const sink = new Sink;
  return *sink;
}

}  // namespace

void set_log_callback(LogCallback callback, LogLevel least) {
  const bool is_given = callback != nullptr;
  auto kept = std::make_shared<const LogCallback>(std::move(callback));
  const std::lock_guard<std::mutex> lock(sink().mutex);
  sink().callback = std::move(kept);
  least_logged = is_given ? static_cast<int>(least) : kSilent;
}

bool is_logged(LogLevel level) {
  return static_cast<int>(level) >= least_logged.load(std::memory_order_relaxed);
}

void log_text(LogLevel level, const std::string& message) {
  std::shared_ptr<const LogCallback> callback;
  {
    const std::lock_guard<std::mutex> lock(sink().mutex);
    callback = sink().callback;
  }
  if (callback != nullptr && *callback) (*callback)(level, message);
}

}  // namespace slipway
