#include "tensorrt/library/plan_tensors.h"

#include <utility>

#include "base/error.h"
#include "base/printable.h"
#include "base/try.h"
#include "cuda/driver/device.h"
#include "tensorrt/library/library.h"
#include "tensorrt/library/runtime.h"

namespace slipway::tensorrt {

namespace {

Status find_bounds(Engine& engine, std::vector<PlanTensor>& tensors) {
  bool is_dynamic = false;
  SLIPWAY_ASSIGN_OR_RETURN(ExecutionContext context, engine.create_context());
  for (PlanTensor& each : tensors) {
    const IoTensor& tensor = each.tensor;
    each.bounds = {tensor.shape, tensor.shape};
    if (tensor.is_shape_tensor) {
      return unsupported("its {} '{}' is a shape, which no tensor of a program can be",
                         tensor.is_input ? "input" : "output", printable_start(tensor.name));
    }
    if (!tensor.is_linear) {
      return unsupported(
          "its {} '{}' has another format than the linear one, in which tensors of programs are: "
          "build the engine without formats of its own",
          tensor.is_input ? "input" : "output", printable_start(tensor.name));
    }
    if (!tensor.is_dynamic()) continue;
    is_dynamic = true;
    if (!tensor.is_input) continue;
    each.bounds = engine.bounds(tensor.name, 0);
    if (each.bounds.max.size() != tensor.shape.size()) {
      return unsupported("TensorRT does not say which sizes of '{}' it serves",
                         printable_start(tensor.name));
    }
    SLIPWAY_RETURN_IF_ERROR(context.set_shape(tensor.name, each.bounds.max));
  }
  if (!is_dynamic) return {};
  SLIPWAY_RETURN_IF_ERROR(context.infer_shapes());
  for (PlanTensor& each : tensors) {
    if (each.tensor.is_input || !each.tensor.is_dynamic()) continue;
    each.bounds.max = context.shape(each.tensor.name);
    for (int64_t& size : each.bounds.min) size = size < 0 ? 0 : size;
    bool is_known = each.bounds.max.size() == each.tensor.shape.size();
    for (const int64_t size : each.bounds.max) is_known = is_known && size >= 0;
    if (is_known) continue;
    return unsupported("the sizes of its output '{}' depend on data",
                       printable_start(each.tensor.name));
  }
  return {};
}

}  // namespace

Result<std::vector<PlanTensor>> read_plan_tensors(std::span<const std::byte> plan,
                                                  const std::string& library) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto opened, Library::open({.path = library}));
  SLIPWAY_ASSIGN_OR_RETURN(const cuda::DevicePointer device, cuda::Device::open(0));
  SLIPWAY_ASSIGN_OR_RETURN(const cuda::Current current, device->make_current());
  SLIPWAY_ASSIGN_OR_RETURN(const Runtime runtime, Runtime::create(opened));
  SLIPWAY_ASSIGN_OR_RETURN(Engine engine, runtime.deserialize(plan));
  std::vector<PlanTensor> tensors;
  for (IoTensor& tensor : engine.tensors()) tensors.push_back({std::move(tensor), {}});
  SLIPWAY_RETURN_IF_ERROR(find_bounds(engine, tensors));
  return tensors;
}

}  // namespace slipway::tensorrt
