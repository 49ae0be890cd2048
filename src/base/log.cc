#include "base/log.h"

#include <cstdio>
#include <mutex>

namespace slipway {
namespace {

std::mutex& sink_mutex() {
  static std::mutex mutex;
  return mutex;
}

LogSink& current_sink() {
  static LogSink sink = [](LogLevel level, const std::string& message) {
    if (level == LogLevel::kWarning) fmt::print(stderr, "warning: {}\n", message);
  };
  return sink;
}

}  // namespace

void set_log_sink(LogSink sink) {
  const std::lock_guard lock(sink_mutex());
  current_sink() = std::move(sink);
}

void log(LogLevel level, const std::string& message) {
  // Called without the lock, so that a sink may log or replace itself.
  LogSink sink;
  {
    const std::lock_guard lock(sink_mutex());
    sink = current_sink();
  }
  if (sink) sink(level, message);
}

}  // namespace slipway
