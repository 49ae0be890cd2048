// Where exceptions end: the functions of the public API return them as errors.
#pragma once

#include <exception>
#include <new>
#include <string>

#include "base/error.h"

namespace slipway {

// What `work` returns, which is a Status or a Result. If it throws: kResourceExhausted for lack of
// memory, else kInternal. `what` begins the message, and names the file.
template <class Work>
auto guarded(const std::string& what, Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return resource_exhausted("{}: there is not enough memory", what);
  } catch (const std::exception& exception) {
    return internal_error("{}: {}", what, exception.what());
  }
}

}  // namespace slipway
