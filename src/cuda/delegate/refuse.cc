#include "cuda/delegate/refuse.h"

#include "delegate/log.h"

namespace slipway::cuda {

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

et::Error refuse(const Error& error, et::Error code) {
  delegate::log_error(kTitle, error.message());
  return code;
}

}  // namespace slipway::cuda
