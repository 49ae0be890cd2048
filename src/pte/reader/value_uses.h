// Which tensors each instruction reads and writes, for pictures of a program.
#pragma once

#include <cstdint>
#include <vector>

namespace executorch_flatbuffer {
struct ExecutionPlan;
}  // namespace executorch_flatbuffer

namespace slipway::pte {

// Places among the plan's values, each once, in the order of the arguments; of tensors alone, where
// an argument is a list its tensors. What a kernel computes that is no tensor is among them, too.
struct ValueUses {
  std::vector<uint32_t> reads;
  std::vector<uint32_t> writes;
};

// One an instruction of a checked plan, of all chains. What an engine writes a file does not say:
// tensors that nothing before it wrote, and that are no inputs, constants or state.
std::vector<ValueUses> value_uses(const executorch_flatbuffer::ExecutionPlan& plan);

}  // namespace slipway::pte
