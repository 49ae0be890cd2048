// The engines, and what each is known not to do.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "slipway/compile.h"

namespace slipway::conformance {

struct Exception {
  std::string_view test;
  std::string_view reason;
};

struct Engine {
  EngineKind kind;
  // Cases that don't compile or don't run; the reason is a part of the error's message.
  std::span<const Exception> unsupported;
  // Cases in which the engine gives other numbers where PyTorch gives NaN.
  std::span<const Exception> loses_nan;
  // Cases in which it gives other infinities or numbers, as its documentation says.
  std::span<const Exception> differs;
};

Engine none();
Engine openvino();

std::optional<std::string> find(std::span<const Exception> exceptions, std::string_view test);

}  // namespace slipway::conformance
