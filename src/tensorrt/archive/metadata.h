// What Torch-TensorRT keeps beside an engine: a pickle in Base64, of the shapes by which its
// tracing knows what the engine gives.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "slipway/result.h"

namespace slipway::tensorrt {

// What Slipway adds to it. Torch-TensorRT passes over it and keeps it.
struct EngineNote {
  std::string tool_version;     // "slipway 0.1.0"
  std::string library_version;  // of TensorRT: "TensorRT-RTX 1.7.1"
  std::string target;           // the GPUs that the engine is for: "sm_80,sm_86"; empty: not known

  bool operator==(const EngineNote&) const = default;
};

// Sizes are expressions of sympy over the program's symbols. Torch-TensorRT's settings are left
// out: nothing that runs programs needs them, and they can't be read without it and a GPU. `names`
// are the inputs' own.
Result<std::string> write_metadata(const std::vector<std::string>& names,
                                   const std::vector<ir::Value*>& inputs,
                                   const std::vector<ir::Value*>& outputs, const EngineNote& note);

// The note in metadata that write_metadata() wrote; an empty one where there is none. Nothing of
// the pickle is run.
EngineNote note_of(std::string_view metadata);

}  // namespace slipway::tensorrt
