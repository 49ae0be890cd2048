// Messages for the callback of slipway/log.h.
#pragma once

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

}  // namespace slipway
