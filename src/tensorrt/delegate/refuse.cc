#include "tensorrt/delegate/refuse.h"

#include <string>

#include <executorch/runtime/platform/log.h>
#include <fmt/core.h>

namespace slipway::tensorrt {

namespace et = executorch::runtime;

namespace {

et::Error code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return et::Error::InvalidArgument;
    case ErrorCode::kInvalidFile:
      return et::Error::InvalidProgram;
    case ErrorCode::kUnsupported:
      return et::Error::NotSupported;
    case ErrorCode::kNotFound:
    case ErrorCode::kUnavailable:
      return et::Error::NotFound;
    case ErrorCode::kResourceExhausted:
      return et::Error::MemoryAllocationFailed;
    case ErrorCode::kIo:
      return et::Error::AccessFailed;
    case ErrorCode::kInternal:
      return et::Error::Internal;
  }
  return et::Error::Internal;
}

}  // namespace

et::Error refuse(const Error& error) { return refuse(error, code_of(error.code())); }

// ExecuTorch's log cuts what is longer than 255 bytes: it is logged in pieces.
et::Error refuse(const Error& error, et::Error code) {
  constexpr size_t kPiece = 200;
  std::string rest = fmt::format("{}: {}", kTitle, error.message());
  const char* before = "";
  while (rest.size() > kPiece) {
    size_t end = rest.rfind(' ', kPiece);
    if (end == std::string::npos || end == 0) end = kPiece;
    ET_LOG(Error, "%s%s", before, rest.substr(0, end).c_str());
    rest.erase(0, rest[end] == ' ' ? end + 1 : end);
    before = "... ";
  }
  ET_LOG(Error, "%s%s", before, rest.c_str());
  return code;
}

}  // namespace slipway::tensorrt
