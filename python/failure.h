// Errors on their way to Python, and texts on their way from it.
#pragma once

#include <string>

#include <nanobind/nanobind.h>

#include "slipway/slipway_c.h"

namespace nb = nanobind;

struct Failure {
  slipway_error_code code;
  std::string message;
};

// Of texts and paths, as Python encodes file names.
inline std::string text_of(const nb::bytes& bytes) {
  std::string text(bytes.c_str(), bytes.size());
  if (text.find('\0') != std::string::npos) {
    throw Failure{SLIPWAY_INVALID_ARGUMENT,
                  "'" + text.substr(0, text.find('\0')) + "...' has a zero byte in it"};
  }
  return text;
}

inline void check(slipway_error* error) {
  if (error == nullptr) return;
  Failure failure{slipway_error_code_of(error), slipway_error_message(error)};
  slipway_error_free(error);
  throw failure;
}
