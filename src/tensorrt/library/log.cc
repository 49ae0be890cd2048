#include "tensorrt/library/log.h"

#include <algorithm>
#include <atomic>

#include "base/error.h"
#include "tensorrt/library/abi.h"

namespace slipway::tensorrt {
namespace {

constexpr size_t kMostMessages = 1000;

template <class Interface>
class Logger : public Interface {
 public:
  explicit Logger(Log& log) : log_(log) {}
  void log(int32_t severity, const char* text) noexcept override { log_.add(severity, text); }

 private:
  Log& log_;
};

bool says_out_of_memory(const std::string& text) {
  return text.find("OutOfMemory") != std::string::npos ||
         text.find("out of memory") != std::string::npos ||
         text.find("std::bad_alloc") != std::string::npos;
}

struct Thread {
  uint64_t number;
  bool takes_steps = false;
};
Thread& this_thread() {
  static std::atomic<uint64_t> last = 0;
  thread_local Thread thread = {++last};
  return thread;
}

// Never destroyed, as TensorRT may log until the process ends.
struct Pool {
  std::mutex mutex;
  std::vector<Log*> free;
};
Pool& pool() {
  static auto* const pool = new Pool;
  return *pool;
}

}  // namespace

struct Log::Interfaces {
  explicit Interfaces(Log& log) : plain(log), versioned(log) {}
  Logger<PlainLoggerInterface> plain;
  Logger<LoggerInterface> versioned;
};

Log::Log() : interfaces_(std::make_unique<Interfaces>(*this)) {}

Log::~Log() = default;

std::shared_ptr<Log> Log::acquire() {
  Log* log = nullptr;
  {
    const std::lock_guard<std::mutex> lock(pool().mutex);
    if (!pool().free.empty()) {
      log = pool().free.back();
      pool().free.pop_back();
    }
  }
  if (log == nullptr) log = new Log;
  log->start();
  return {log, [](Log* returned) {
            const std::lock_guard<std::mutex> lock(pool().mutex);
            pool().free.push_back(returned);
          }};
}

void* Log::interface(Version version) {
  if (version.family == Family::kT10) return &interfaces_->plain;
  return &interfaces_->versioned;
}

bool Log::is_seen(const Entry& entry) {
  return entry.thread == this_thread().number || !entry.takes_steps;
}

void Log::start() {
  this_thread().takes_steps = true;
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase_if(entries_, is_seen);
}

std::vector<Message> Log::messages() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<Message> own;
  for (const Entry& entry : entries_) {
    if (is_seen(entry)) own.push_back(entry.message);
  }
  return own;
}

std::string Log::first_error() const {
  const std::vector<Message> own = messages();
  const auto found = std::find_if(own.begin(), own.end(), [](const Message& message) {
    return message.severity != Severity::kWarning;
  });
  return found == own.end() ? "" : found->text;
}

Error Log::error(ErrorCode code, std::string_view what) const {
  const std::string text = first_error();
  if (text.empty()) return make_error(code, "{}, and TensorRT does not say why", what);
  return make_error(says_out_of_memory(text) ? ErrorCode::kResourceExhausted : code, "{}: {}", what,
                    text);
}

void Log::add(int32_t severity, const char* text) noexcept {
  if (severity > static_cast<int32_t>(Severity::kWarning) || text == nullptr) return;
  try {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (entries_.size() >= kMostMessages) {
      // What other threads were told may never be asked for.
      const auto other = std::find_if_not(entries_.begin(), entries_.end(), is_seen);
      if (other == entries_.end()) return;
      entries_.erase(other);
    }
    const Thread& thread = this_thread();
    entries_.push_back(
        {thread.number, thread.takes_steps, {static_cast<Severity>(std::max(severity, 0)), text}});
  } catch (...) {  // Without memory for the message there is none.
  }
}

}  // namespace slipway::tensorrt
