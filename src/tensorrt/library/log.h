// What TensorRT says.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/result.h"
#include "tensorrt/library/version.h"

namespace slipway::tensorrt {

enum class Severity : uint8_t { kInternalError, kError, kWarning };

struct Message {
  Severity severity;
  std::string text;
};

// Collects TensorRT's messages, but not its information. Any thread may log, several at once: what
// a thread that takes steps logs is its own, and what TensorRT's own threads log is everybody's.
class Log {
 public:
  // Forgets the messages of the calling thread: what comes next belongs to a new step of it.
  void start();
  // Of this step, in order; the first 1,000.
  std::vector<Message> messages() const;
  // The first error's text. What follows it is often about the lack of a driver, whatever the
  // cause. Empty where no error was logged.
  std::string first_error() const;
  // "`what`: " and the first error. Where TensorRT ran out of memory the code is
  // kResourceExhausted.
  Error error(ErrorCode code, std::string_view what) const;

  // Called by TensorRT.
  void add(int32_t severity, const char* text) noexcept;
  // The logger for a library's createInfer...: an ILogger of its family.
  void* interface(Version version);

  // One that nobody else uses. TensorRT keeps a pointer to the first logger that it is given, so
  // none is ever destroyed: the last owner gives it back for the next.
  static std::shared_ptr<Log> acquire();

 private:
  Log();
  ~Log();
  struct Interfaces;

  struct Entry {
    uint64_t thread;
    bool takes_steps;  // that thread, which has called start() then
    Message message;
  };
  // Whether the calling thread is told.
  static bool is_seen(const Entry& entry);

  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
  std::unique_ptr<Interfaces> interfaces_;
};

}  // namespace slipway::tensorrt
