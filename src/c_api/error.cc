#include "c_api/error.h"

#include <cstdlib>
#include <cstring>

namespace slipway::c_api {
namespace {

slipway_error_code code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return SLIPWAY_INVALID_ARGUMENT;
    case ErrorCode::kInvalidFile:
      return SLIPWAY_INVALID_FILE;
    case ErrorCode::kNotFound:
      return SLIPWAY_NOT_FOUND;
    case ErrorCode::kUnsupported:
      return SLIPWAY_UNSUPPORTED;
    case ErrorCode::kUnavailable:
      return SLIPWAY_UNAVAILABLE;
    case ErrorCode::kResourceExhausted:
      return SLIPWAY_RESOURCE_EXHAUSTED;
    case ErrorCode::kIo:
      return SLIPWAY_IO;
    case ErrorCode::kCancelled:
      return SLIPWAY_CANCELLED;
    case ErrorCode::kInternal:
      break;
  }
  return SLIPWAY_INTERNAL;
}

// Given where there is no memory for another, and never freed.
slipway_error& no_memory() {
  static slipway_error error{SLIPWAY_RESOURCE_EXHAUSTED, "out of memory"};
  return error;
}
// Made before memory runs out.
[[maybe_unused]] const slipway_error& kMadeAtStart = no_memory();

}  // namespace

slipway_error* out_of_memory() noexcept { return &no_memory(); }

slipway_error* to_c(const Error& error) noexcept {
  try {
    return new slipway_error{code_of(error.code()), error.message()};
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

char* copy_text(const std::string& text) {
  auto* const copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

}  // namespace slipway::c_api

using slipway::c_api::out_of_memory;

slipway_error_code slipway_error_code_of(const slipway_error* error) {
  return error == nullptr ? SLIPWAY_INVALID_ARGUMENT : error->code;
}

const char* slipway_error_message(const slipway_error* error) {
  return error == nullptr ? "no error" : error->message.c_str();
}

void slipway_error_free(slipway_error* error) {
  if (error != out_of_memory()) delete error;
}

void slipway_text_free(char* text) { std::free(text); }
