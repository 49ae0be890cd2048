// Messages to people, on stderr. Thread-safe.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace slipway {

enum class LogLevel { kInfo, kWarning };

// Where messages go; the default prints "warning: ..." to stderr and drops kInfo.
using LogSink = std::function<void(LogLevel, const std::string&)>;
void set_log_sink(LogSink sink);
void log(LogLevel level, const std::string& message);

template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace slipway
