// What a library of NVIDIA's computes for a loaded engine.
#pragma once

#include <optional>

#include <executorch/runtime/platform/log.h>

#include "base/try.h"
#include "cuda/delegate/refuse.h"
#include "slipway/result.h"

namespace slipway::cuda {

// Where the library can't be opened, what is done without is logged.
template <class Library, class Calls>
std::optional<Calls> open_calls(const char* without) {
  const auto open = []() -> Result<Calls> {
    SLIPWAY_ASSIGN_OR_RETURN(const Library* library, Library::open());
    return Calls::create(*library);
  };
  auto calls = open();
  if (calls.ok()) return std::optional<Calls>(*std::move(calls));
  ET_LOG(Error, "%s: %s: %s", kTitle, without, calls.error().message().c_str());
  return std::nullopt;
}

}  // namespace slipway::cuda
