#include "tensorrt/library/log.h"

#include <algorithm>

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

void Log::start() {
  const std::lock_guard<std::mutex> lock(mutex_);
  messages_.clear();
}

std::vector<Message> Log::messages() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return messages_;
}

std::string Log::first_error() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = std::find_if(messages_.begin(), messages_.end(), [](const Message& message) {
    return message.severity != Severity::kWarning;
  });
  return found == messages_.end() ? "" : found->text;
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
    if (messages_.size() < kMostMessages) {
      messages_.push_back({static_cast<Severity>(std::max(severity, 0)), text});
    }
  } catch (...) {  // Without memory for the message there is none.
  }
}

}  // namespace slipway::tensorrt
