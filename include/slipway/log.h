// What Slipway does, for programs that keep a log: files that are loaded, methods that are
// prepared, steps of a compile, what ExecuTorch and its delegates say.
//
//   slipway::set_log_callback([](slipway::LogLevel level, const std::string& message) {
//     if (level >= slipway::LogLevel::kWarning) std::cerr << message << "\n";
//   });
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "slipway/export.h"

namespace slipway {

enum class LogLevel : uint8_t {
  kDebug,    // each run, and what ExecuTorch tells of itself
  kInfo,     // what was loaded, prepared or built, and how long it took
  kWarning,  // what on_warning of options is told, too
  kError,    // what ExecuTorch logs of a failure, which the error of the call says, too
};

using LogCallback = std::function<void(LogLevel level, const std::string& message)>;

// Has messages of the whole process, from the level `least` on, told to `callback`, in place of an
// earlier one; without one, nobody is told, and no message is made. It is called by the thread that
// something happens in, of which there may be several at once, must not throw, and may be in use
// for a moment after this returned. Any thread may call this.
SLIPWAY_API void set_log_callback(LogCallback callback, LogLevel least = LogLevel::kInfo);

}  // namespace slipway
