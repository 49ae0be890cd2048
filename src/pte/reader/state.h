// The state that a method keeps from run to run: planned tensors that have a name.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace executorch_flatbuffer {
struct ExecutionPlan;
struct Program;
struct Tensor;
}  // namespace executorch_flatbuffer

namespace slipway::pte {

// Both belong to the file.
struct StateBuffer {
  std::string_view name;
  const executorch_flatbuffer::Tensor* tensor = nullptr;
  size_t value = 0;  // its index
};

// Of a checked plan, in its order: the first tensor of each name, where it is planned.
std::vector<StateBuffer> state_of(const executorch_flatbuffer::ExecutionPlan& plan);

// Whether methods of a checked program share the memory kSharedMemoryId: at least two have nothing
// there but state, which is of the host, and what is of one name is in the same place in all.
bool shares_state(const executorch_flatbuffer::Program& program);
// Whether the buffer is in that memory.
bool is_in_shared_memory(const StateBuffer& buffer);

}  // namespace slipway::pte
