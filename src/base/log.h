// Messages for the callback of slipway/log.h.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "slipway/log.h"

namespace slipway {

// Whether somebody is told, so that a message is worth making.
bool is_logged(LogLevel level);

void log_text(LogLevel level, const std::string& message);

template <class... Args>
void log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (is_logged(level)) log_text(level, fmt::format(format, std::forward<Args>(args)...));
}

// `tell`, which may be none, and the log before it, for messages that a caller is told one by one.
inline std::function<void(const std::string&)> logged(
    LogLevel level, const char* begin, std::function<void(const std::string&)> tell) {
  return [level, begin, tell = std::move(tell)](const std::string& text) {
    log(level, "{}{}", begin, text);
    if (tell) tell(text);
  };
}

}  // namespace slipway
