// What a plan takes and gives. Nothing but TensorRT on a GPU that runs the plan can say it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "slipway/result.h"
#include "tensorrt/library/engine.h"

namespace slipway::tensorrt {

// An input or output, with its sizes under the plan's first profile: `max` of an output are those
// for the largest inputs, and `min` of it are 0 where they are dynamic.
struct PlanTensor {
  IoTensor tensor;
  ShapeBounds bounds;
};

// The plan is read on the first GPU, and gone from there afterwards. `library` is where TensorRT
// is, as Library::open() has it; empty: where it is found.
Result<std::vector<PlanTensor>> read_plan_tensors(std::span<const std::byte> plan,
                                                  const std::string& library);

}  // namespace slipway::tensorrt
