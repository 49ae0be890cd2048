// The engines, and what each is known not to do.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "slipway/compile.h"
#include "slipway/tensor.h"

namespace slipway::conformance {

struct Exception {
  std::string_view test;
  std::string_view reason;
};

struct Engine {
  std::string name;
  // Cases that don't compile or don't run; the reason is a part of the error's message.
  std::span<const Exception> unsupported;
  // Cases in which the engine gives other numbers where PyTorch gives NaN.
  std::span<const Exception> loses_nan;
  // Cases in which it gives other infinities or numbers, as its documentation says.
  std::span<const Exception> differs;
  // What it says that it takes, as type_names() has it: "aten.add.Tensor float".
  std::set<std::string> (*declared)();
  // The declared operators, or operators with a type, that no program leads to.
  std::span<const Exception> without_case;
  // Of every compile.
  std::vector<std::pair<std::string, std::string>> options = {};
  // Off where nothing is declared: a node that the check leaves outside would go unnoticed.
  EngineCheck check = EngineCheck::kSmall;
  // Where the engine says that it takes everything: the cases that have a node outside, and why.
  std::optional<std::span<const Exception>> leaves_outside = std::nullopt;
};

Engine none();
Engine openvino();
Engine xnnpack();
Engine stand_in();
// Its kernels are compiled as C++ and run by the stand-in for NVIDIA's driver (tests/cuda), but
// where the environment variable SLIPWAY_CONFORMANCE_GPU names a target, such as sm_90: then NVRTC
// compiles them for it, and the driver of the machine runs them.
Engine cuda();

std::optional<std::string> find(std::span<const Exception> exceptions, std::string_view test);

// The kind of an element type that engines tell apart: "float" (float32), "int" (int32 and int64),
// "byte" (int8 and uint8), "bool"; null for others.
const char* type_kind(DType dtype);

}  // namespace slipway::conformance
