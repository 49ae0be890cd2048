// Errors as values: Slipway does not throw.
//
// A Result<T> holds a T or an Error; Status is a Result without a value. Both are plain values: a
// Result may be moved between threads, and is not meant to be shared by several.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

#include "slipway/export.h"

namespace slipway {

// What went wrong, by who can do something about it.
enum class ErrorCode {
  kInvalidArgument,    // The call or the command line is wrong: correct it.
  kInvalidFile,        // The file is damaged or is not what it claims: get it again.
  kNotFound,           // A file, an input, a method that was named does not exist.
  kUnsupported,        // The program needs what this engine or this version does not do.
  kUnavailable,        // This machine lacks a library or a device: the message says how to get it.
  kResourceExhausted,  // Out of memory, disk or address space: a retry elsewhere may help.
  kIo,                 // The operating system refused to read or write.
  kInternal,           // A defect of Slipway.
  kCancelled,          // Another thread stopped the run (Method::cancel).
};

// The code's name as printed, such as "invalid file".
SLIPWAY_API const char* error_code_name(ErrorCode code);

class Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  // One or more sentences: what failed, in which file and node, and what to do.
  const std::string& message() const { return message_; }
  // The same error with `context` and ": " before its message.
  Error with_context(const std::string& context) const {
    return Error(code_, context + ": " + message_);
  }

 private:
  ErrorCode code_;
  std::string message_;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return ok(); }

  // Requires !ok().
  const Error& error() const { return std::get<Error>(state_); }

  // Each requires ok().
  T& value() & { return std::get<T>(state_); }
  const T& value() const& { return std::get<T>(state_); }
  T&& value() && { return std::get<T>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<std::monostate>(error_); }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return std::get<Error>(error_); }

 private:
  std::variant<std::monostate, Error> error_;
};

using Status = Result<void>;

}  // namespace slipway
