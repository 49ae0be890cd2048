// ExecuTorch's side of the process: its start, its log, its failures, its threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <executorch/runtime/core/error.h>

#include "slipway/result.h"

namespace slipway::runtime {

namespace et = executorch::runtime;

// Starts ExecuTorch, once a process. Any thread may call it.
void initialize_platform();

// Thrown in place of ExecuTorch's abort(), in a thread that has a LogCapture. What was running is
// left half-done: its et::Method must not be used again.
struct Aborted {};

// Collects what ExecuTorch logs in this thread while it lives, and keeps it from being printed.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  // The errors logged so far, one a line.
  const std::string& text() const { return text_; }

 private:
  friend class LogCaptureAccess;
  LogCapture* outer_;
  std::string text_;
};

// What a log says: its lines, of which those that begin with "... " go on with the one before.
std::vector<std::string> messages_of(const std::string& log);
// The first thing that went wrong, of the messages of a log; later ones are its consequences.
std::string first_reason(const std::string& log);
// "InvalidArgument"
std::string error_name(et::Error error);
// ExecuTorch's error as ours: `context`, the reason that its log starts with, and its name.
Error translate(et::Error error, const std::string& context, const std::string& log);

// How many threads kernels use. Not while anything runs.
Status set_thread_count(uint32_t count);
uint32_t thread_count();

}  // namespace slipway::runtime
