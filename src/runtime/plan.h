// What running a method needs to know of its ExecutionPlan, read once when it is loaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pte/reader/reader.h"
#include "runtime/loops.h"
#include "slipway/result.h"

namespace executorch_flatbuffer {
struct ExecutionPlan;
struct Tensor;
}  // namespace executorch_flatbuffer

namespace slipway::runtime {

struct Plan {
  // Bytes of each planned buffer.
  std::vector<uint64_t> planned_sizes;
  // And the CUDA device that each is of; nothing: the host's.
  std::vector<std::optional<int8_t>> planned_devices;
  // One an output: the bytes that the caller must bind, or nothing where the output lies in planned
  // memory, is an input or a constant, is no tensor, or is an earlier output again.
  std::vector<std::optional<uint64_t>> output_sizes;
  // Whether ExecuTorch copies an input into memory that the file plans for it; one an input.
  std::vector<bool> is_copied;
  // The device of each output that lies in planned memory, likewise.
  std::vector<std::optional<int8_t>> output_devices;
  // Values by their index, one an input and one an output.
  std::vector<size_t> inputs;
  std::vector<size_t> outputs;
  // The mutable buffers: planned tensors that carry a name.
  struct State {
    std::string name;
    // Of the file; empty: zeros. On a device it is what the first run brings there.
    std::span<const std::byte> initial;
    size_t value = 0;                   // its index
    bool has_views = false;             // other tensors are in its memory, too
    bool is_shared = false;             // with other methods
    std::optional<int8_t> device = {};  // of its planned memory, likewise
  };
  std::vector<State> state;
  // Where the bool is that tells the first run from others (pte/emitter/emitter.h): a planned
  // buffer and an offset in it; nothing where no run is told from others.
  std::optional<std::pair<size_t, uint64_t>> first_run;
  Loops loops;
};

Result<Plan> read_plan(const pte::File& file, const std::string& method);

std::vector<std::string> method_names(const pte::File& file);

// The bytes of a tensor of its largest size; `where` is for messages.
Result<uint64_t> nbytes_of(const executorch_flatbuffer::Tensor& tensor, const std::string& where);

// The bytes of a value that is a tensor in planned memory, without a name, where no other tensor
// is; nothing for others.
std::optional<uint64_t> size_alone(const executorch_flatbuffer::ExecutionPlan& execution,
                                   size_t value);

}  // namespace slipway::runtime
