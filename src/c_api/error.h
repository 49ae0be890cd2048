// Errors of the C interface, and what keeps exceptions on this side of it.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "base/error.h"
#include "slipway/result.h"
#include "slipway/slipway_c.h"

struct slipway_error {
  slipway_error_code code;
  std::string message;
};

namespace slipway::c_api {

// Memory for it there is always: the error of no memory is no allocation.
slipway_error* to_c(const Error& error) noexcept;
slipway_error* out_of_memory() noexcept;

// What `body` gives, a Status, as an error of C; so is what it throws.
template <class Body>
slipway_error* guard(const Body& body) noexcept {
  try {
    const Status status = body();
    return status.ok() ? nullptr : to_c(status.error());
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::exception& e) {
    return to_c(Error(ErrorCode::kInternal, e.what()));
  }
}

// An error that names the argument where a pointer is null.
template <class Pointer>
Status check_given(const Pointer& pointer, const char* argument) {
  if (pointer != nullptr) return {};
  return invalid_argument("{} is NULL", argument);
}

// A text that slipway_text_free() frees.
char* copy_text(const std::string& text);

}  // namespace slipway::c_api
