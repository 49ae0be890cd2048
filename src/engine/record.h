// What is known about an engine: a part of a program that a library compiled ahead of time.
//
// Plain data; the manifest keeps it beside the engine's bytes (docs/formats/manifest.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/piece_writer.h"

namespace slipway {
struct StartedFile;
}

namespace slipway::engine {

// A tensor that an engine takes or gives, by position.
struct EngineTensor {
  std::string name;
  std::string dtype;               // PyTorch's name
  std::vector<std::string> sizes;  // each as text: "3", "s77"
};

// An output that the engine writes into the memory of an input, both by position. Whoever calls the
// engine gives both the same memory.
struct EngineAlias {
  uint32_t output = 0;
  uint32_t input = 0;
  std::string kind;  // "kv_cache_update", "user"
};

struct EngineRecord {
  std::string engine;           // its name (engine::Description)
  std::string backend;          // the delegate that runs it
  std::string library_version;  // of what built it
  std::string device;           // "CPU"
  // What engines are built by of the device: "avx avx2 fma", "sm_86". Empty where that is not
  // known, or where the engine is for several.
  std::string capabilities;
  // The machines that it runs on, where there may be engines for others: "sm_80,sm_86".
  std::string target;
  // What it was built with, such as {"INFERENCE_PRECISION_HINT", "f32"}.
  std::map<std::string, std::string> options;
  // ExecuTorch's compile specs: what the delegate is told besides the bytes.
  std::map<std::string, std::string> compile_specs;
  std::vector<EngineTensor> inputs;
  std::vector<EngineTensor> outputs;
  std::vector<EngineAlias> aliases;
  // Memory requirements, in bytes: the constants of the partition, which the library may hold once
  // more in a layout of its own, and the engine itself.
  uint64_t weight_bytes = 0;
  uint64_t size = 0;
  std::string sha256;  // of the engine's bytes
};

struct Engine {
  EngineRecord record;
  OwnedSpan bytes;
  // What the delegate wants before the bytes, a multiple of kEngineHeaderAlignment; may be empty.
  std::vector<std::byte> header = {};
  // The key under which the bytes are named data outside of the program, which the header has then;
  // empty: they are behind the header.
  std::string external_key = {};
  // The same part of the program for other targets, with inputs, outputs and aliases like this one,
  // and without variants of their own. `bytes` above is what a runtime that knows of no variants
  // takes.
  std::vector<Engine> variants = {};
  // The file that it was written into, at the place that it has in files of the program.
  std::shared_ptr<StartedFile> started = nullptr;
};

inline constexpr size_t kEngineHeaderAlignment = 16;

// An engine of this size lies at this offset of a file where it can, so that it can be built in its
// place before the rest of the file is known. So that it can, its header is a multiple of pages.
inline constexpr uint64_t kLargeEngine = uint64_t{64} << 20;
inline constexpr uint64_t kLargeEngineOffset = uint64_t{1} << 20;
inline constexpr size_t kLargeEngineHeaderAlignment = 4096;

}  // namespace slipway::engine
