// Making errors: `return invalid_file("{}: entry {} is cut short", path, name);`
#pragma once

#include <utility>

#include <fmt/core.h>

#include "slipway/result.h"

namespace slipway {

template <class... Args>
Error make_error(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return Error(code, fmt::format(format, std::forward<Args>(args)...));
}

#define SLIPWAY_DEFINE_ERROR(name, code)                           \
  template <class... Args>                                         \
  Error name(fmt::format_string<Args...> format, Args&&... args) { \
    return make_error(code, format, std::forward<Args>(args)...);  \
  }
SLIPWAY_DEFINE_ERROR(invalid_argument, ErrorCode::kInvalidArgument)
SLIPWAY_DEFINE_ERROR(invalid_file, ErrorCode::kInvalidFile)
SLIPWAY_DEFINE_ERROR(not_found, ErrorCode::kNotFound)
SLIPWAY_DEFINE_ERROR(unsupported, ErrorCode::kUnsupported)
SLIPWAY_DEFINE_ERROR(unavailable, ErrorCode::kUnavailable)
SLIPWAY_DEFINE_ERROR(resource_exhausted, ErrorCode::kResourceExhausted)
SLIPWAY_DEFINE_ERROR(io_error, ErrorCode::kIo)
SLIPWAY_DEFINE_ERROR(internal_error, ErrorCode::kInternal)
SLIPWAY_DEFINE_ERROR(cancelled, ErrorCode::kCancelled)
#undef SLIPWAY_DEFINE_ERROR

// The same with the text of an errno value at its end. ENOSPC, EDQUOT, EFBIG, ENOMEM and EMFILE
// give kResourceExhausted, ENOENT kNotFound, everything else kIo.
Error errno_error(int error_number, const std::string& message);

}  // namespace slipway
