// How long a run may take, by the jumps of its instructions.
#pragma once

#include <cstdint>
#include <optional>

namespace executorch_flatbuffer {
struct ExecutionPlan;
}  // namespace executorch_flatbuffer

namespace slipway::runtime {

struct Loops {
  // Some instruction jumps to an earlier one or itself.
  bool any = false;
  // How many instructions a run takes at most, where every such jump ends a counted loop: an
  // integer is set to a constant before it, and the last three instructions add one to it, compare
  // it with another (`ge`) and jump back to the first while it is less. That other is a constant or
  // a size of a tensor. Nothing where some jump is another one, or where it is more than
  // kMostCountedSteps.
  std::optional<uint64_t> most_steps;
};

inline constexpr uint64_t kMostCountedSteps = 100'000'000;

// Of a plan that the checked reader has accepted.
Loops find_loops(const executorch_flatbuffer::ExecutionPlan& plan);

}  // namespace slipway::runtime
