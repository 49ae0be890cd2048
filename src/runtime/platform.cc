#include "runtime/platform.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include <executorch/runtime/platform/platform.h>
#include <executorch/runtime/platform/runtime.h>

#include "base/error.h"
#include "base/log.h"
#include "base/memory_shortage.h"
#include "runtime/kernel_guards.h"

// The wheel has this class in its libraries but not its header.
namespace executorch::extension::threadpool {
class ThreadPool {
 public:
  size_t get_thread_count() const;
  bool _unsafe_reset_threadpool(uint32_t new_thread_count);
};
ThreadPool* get_threadpool();
}  // namespace executorch::extension::threadpool

namespace slipway::runtime {
namespace {

thread_local LogCapture* current_capture = nullptr;

}  // namespace

class LogCaptureAccess {
 public:
  static void append(LogCapture& capture, std::string_view message) {
    constexpr size_t kMost = 4096;
    if (capture.text_.size() + message.size() > kMost) return;
    capture.text_.append(message).append("\n");
  }
};

namespace {

LogLevel level_of(et_pal_log_level_t level) {
  return level == kError || level == kFatal ? LogLevel::kError : LogLevel::kDebug;
}

void emit_log(et_timestamp_t, et_pal_log_level_t level, const char*, const char*, size_t,
              const char* message, size_t length) {
  log(level_of(level), "ExecuTorch: {}", std::string_view(message, length));
  if (level != kError && level != kFatal) return;
  if (current_capture != nullptr) {
    LogCaptureAccess::append(*current_capture, {message, length});
  } else if (level == kFatal) {
    std::fprintf(stderr, "ExecuTorch: %.*s\n", static_cast<int>(length), message);
  }
}

void abort_or_throw() {
  if (current_capture != nullptr) throw Aborted();
  std::abort();
}

}  // namespace

void initialize_platform() {
  static std::once_flag once;
  std::call_once(once, [] {
    et::register_pal(et::PalImpl::create(/*init=*/nullptr, abort_or_throw,
                                         /*current_ticks=*/nullptr,
                                         /*ticks_to_ns_multiplier=*/nullptr, emit_log,
                                         /*allocate=*/nullptr, /*free=*/nullptr, __FILE__));
    et::runtime_init();
    guard_kernels();
  });
}

LogCapture::LogCapture() : outer_(current_capture) { current_capture = this; }
LogCapture::~LogCapture() { current_capture = outer_; }

std::vector<std::string> messages_of(const std::string& log) {
  constexpr std::string_view kGoesOn = "... ";
  std::vector<std::string> messages;
  for (std::string_view rest = log; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.starts_with(kGoesOn) && !messages.empty()) {
      messages.back() += " " + std::string(line.substr(kGoesOn.size()));
    } else {
      messages.emplace_back(line);
    }
  }
  return messages;
}

std::string first_reason(const std::string& log) {
  const std::vector<std::string> messages = messages_of(log);
  std::string_view line = messages.empty() ? std::string_view() : messages.front();
  // "Check failed (condition): what it means"; the second part may be missing.
  constexpr std::string_view kCheck = "Check failed (";
  constexpr std::string_view kEnd = "): ";
  const size_t end = line.find(kEnd);
  if (line.starts_with(kCheck) && end != std::string_view::npos) {
    const std::string_view meaning = line.substr(end + kEnd.size());
    line = meaning.empty() ? line.substr(0, end + 1) : meaning;
  }
  return line.empty() ? "ExecuTorch gives no reason" : std::string(line);
}

std::string error_name(et::Error error) {
  std::string_view name = et::to_string(error);
  constexpr std::string_view kPrefix = "Error::";
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  return std::string(name);
}

Error translate(et::Error error, const std::string& context, const std::string& log) {
  ErrorCode code = ErrorCode::kInternal;
  switch (error) {
    case et::Error::InvalidArgument:  // of a kernel: the program's, not the caller's
    case et::Error::InvalidType:
    case et::Error::NotSupported:
    case et::Error::NotImplemented:
      code = ErrorCode::kUnsupported;
      break;
    case et::Error::OperatorMissing:
    case et::Error::NotFound:
      code = ErrorCode::kUnavailable;
      break;
    case et::Error::MemoryAllocationFailed:
    case et::Error::OutOfResources:
    case et::Error::DelegateMemoryAllocationFailed:
      code = ErrorCode::kResourceExhausted;
      break;
    case et::Error::InvalidProgram:
    case et::Error::InvalidExternalData:
    case et::Error::DelegateInvalidCompatibility:
      code = ErrorCode::kInvalidFile;
      break;
    default:
      break;
  }
  // Engines' libraries do not tell it from anything else.
  const bool is_short = code != ErrorCode::kResourceExhausted && lacks_memory(log);
  if (is_short) code = ErrorCode::kResourceExhausted;
  return make_error(code, "{}: {}{} (ExecuTorch's {})", context,
                    is_short ? "there is not enough memory: " : "", first_reason(log),
                    error_name(error));
}

Status set_thread_count(uint32_t count) {
  initialize_platform();
  auto* pool = executorch::extension::threadpool::get_threadpool();
  // ExecuTorch's pool ends the process where the system does not give it its threads.
  constexpr uint32_t kMost = 1024;
  if (count == 0 || count > kMost) {
    return invalid_argument("kernels take 1 to {} threads, not {}", kMost, count);
  }
  if (pool == nullptr || !pool->_unsafe_reset_threadpool(count)) {
    return unavailable("ExecuTorch's thread pool does not take {} threads", count);
  }
  return {};
}

uint32_t thread_count() {
  auto* pool = executorch::extension::threadpool::get_threadpool();
  return pool == nullptr ? 1 : static_cast<uint32_t>(pool->get_thread_count());
}

}  // namespace slipway::runtime
