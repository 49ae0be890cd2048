// The state that a method keeps from run to run: planned tensors that have a name.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace executorch_flatbuffer {
struct ExecutionPlan;
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

}  // namespace slipway::pte
