// What running a method needs to know of its ExecutionPlan, read once when it is loaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pte/reader/reader.h"
#include "runtime/loops.h"
#include "slipway/result.h"

namespace slipway::runtime {

struct Plan {
  // Bytes of each planned buffer.
  std::vector<uint64_t> planned_sizes;
  // One an output: the bytes that the caller must bind, or nothing where the output lies in planned
  // memory, is an input or a constant, is no tensor, or is an earlier output again.
  std::vector<std::optional<uint64_t>> output_sizes;
  // The mutable buffers: planned tensors that carry a name.
  struct State {
    std::string name;
    std::span<const std::byte> initial;  // of the file; empty: zeros
  };
  std::vector<State> state;
  Loops loops;
};

Result<Plan> read_plan(const pte::File& file, const std::string& method);

std::vector<std::string> method_names(const pte::File& file);

}  // namespace slipway::runtime
