// What is known about an engine: a part of a program that a library compiled ahead of time.
//
// Plain data; the manifest keeps it beside the engine's bytes (docs/formats/manifest.md).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/piece_writer.h"

namespace slipway::engine {

// A tensor that an engine takes or gives, by position.
struct EngineTensor {
  std::string name;
  std::string dtype;               // PyTorch's name
  std::vector<std::string> sizes;  // each as text: "3", "s77"
};

struct EngineRecord {
  std::string engine;           // "openvino"
  std::string backend;          // the delegate that runs it: "OpenvinoBackend"
  std::string library_version;  // of what built it
  std::string device;           // "CPU"
  // What it was built with, such as {"INFERENCE_PRECISION_HINT", "f32"}.
  std::map<std::string, std::string> options;
  // ExecuTorch's compile specs: what the delegate is told besides the bytes.
  std::map<std::string, std::string> compile_specs;
  std::vector<EngineTensor> inputs;
  std::vector<EngineTensor> outputs;
  // Memory requirements, in bytes: the constants of the partition, which the library may hold once
  // more in a layout of its own, and the engine itself.
  uint64_t weight_bytes = 0;
  uint64_t size = 0;
  std::string sha256;  // of the engine's bytes
};

struct Engine {
  EngineRecord record;
  OwnedSpan bytes;
};

}  // namespace slipway::engine
