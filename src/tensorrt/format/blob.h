// What Torch-TensorRT's delegate, "TensorRTBackend", takes as an engine: a plan of TensorRT behind
// a header (docs/formats/tensorrt_blob.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/result.h"

namespace slipway::tensorrt {

inline constexpr const char* kBackend = "TensorRTBackend";

// An input or output of the plan. Those that are inputs are, in order, what the delegate is given,
// and the others what it gives.
struct Binding {
  std::string name;            // as the plan has it
  std::string dtype;           // PyTorch's name: "float32"
  std::vector<int64_t> shape;  // -1 where it is dynamic
  bool is_input = false;

  bool operator==(const Binding&) const = default;
};

// The output's memory is the input's; both are names of bindings.
struct Alias {
  std::string output;
  std::string input;
  std::string kind;  // "kv_cache_update" or "user"

  bool operator==(const Alias&) const = default;
};

struct Metadata {
  std::vector<Binding> io_bindings;
  std::vector<Alias> aliased_io;
  bool hardware_compatible = false;  // runs on other GPUs than the one it was built for
  int64_t device_id = 0;             // of the GPU, where nothing else says it
  std::string serialized_metadata;   // the writer's own
  std::string target_platform;       // "linux_x86_64"
  std::string engine_sha256;         // of the plan, in hexadecimal; empty where it is not known
  std::string engine_target;         // the GPUs that it is for, "sm_80,sm_86"; empty likewise
  std::string engine_key;            // of the named data that the plan is, where it is not behind

  bool operator==(const Metadata&) const = default;
};

// All bytes before the plan's, a multiple of 16; the plan follows at once. Refuses what
// read_blob would not give back: kInvalidArgument.
Result<std::vector<std::byte>> write_header(const Metadata& metadata, uint64_t plan_size);

// The same header for a plan that is named data under `key`. `header` is what write_header() gave.
Result<std::vector<std::byte>> write_external_header(std::span<const std::byte> header,
                                                     const std::string& key);

struct Blob {
  Metadata metadata;
  std::span<const std::byte> plan;  // of the bytes that were given; empty with an engine_key
};

// As the header has it.
std::string metadata_to_json(const Metadata& metadata);

// Reads no byte of the plan.
Result<Blob> read_blob(std::span<const std::byte> bytes);

}  // namespace slipway::tensorrt
