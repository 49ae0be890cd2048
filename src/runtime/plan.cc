#include "runtime/plan.h"

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include "base/checked.h"
#include "base/error.h"
#include "base/try.h"
#include "pte/format/allocation.h"
#include "pte/format/program_generated.h"
#include "pte/reader/state.h"
#include "runtime/element_types.h"

namespace slipway::runtime {
namespace {

namespace fb = executorch_flatbuffer;

// What the file has for the tensor in one of its segments.
Result<std::span<const std::byte>> data_of(const pte::File& file, const fb::Tensor& tensor,
                                           const fb::SubsegmentOffsets* subsegments,
                                           const std::string& where) {
  const auto damaged = [&] {
    return invalid_file("{}: the initial value is not in the file", where);
  };
  if (subsegments == nullptr) return damaged();
  const auto* offsets = subsegments->offsets();
  if (offsets == nullptr || tensor.data_buffer_idx() >= offsets->size()) return damaged();
  SLIPWAY_ASSIGN_OR_RETURN(auto segment, file.segment(subsegments->segment_index()));
  SLIPWAY_ASSIGN_OR_RETURN(uint64_t nbytes, nbytes_of(tensor, where));
  const uint64_t offset = offsets->Get(tensor.data_buffer_idx());
  if (!range_fits(offset, nbytes, segment.size())) return damaged();
  return segment.subspan(offset, nbytes);
}

Result<std::span<const std::byte>> initial_value(const pte::File& file, const fb::Tensor& tensor,
                                                 const std::string& where) {
  if (tensor.data_buffer_idx() == 0) return std::span<const std::byte>();
  const auto* groups = file.program().mutable_data_segments();
  const fb::ExtraTensorInfo* extra = tensor.extra_tensor_info();
  const uint64_t group = extra == nullptr ? 0 : extra->mutable_data_segments_idx();
  const bool is_there = groups != nullptr && group < groups->size();
  return data_of(file, tensor, is_there ? groups->Get(static_cast<uint32_t>(group)) : nullptr,
                 where);
}

std::optional<int8_t> device_of(const fb::Tensor* tensor, const Plan& plan) {
  if (tensor == nullptr || tensor->allocation_info() == nullptr) return std::nullopt;
  return plan.planned_devices[tensor->allocation_info()->memory_id() - 1];
}

Status read_outputs(const pte::File& file, const fb::ExecutionPlan& execution, Plan& plan) {
  std::unordered_set<int32_t> done;
  const auto* inputs = execution.inputs();
  if (inputs != nullptr) done.insert(inputs->begin(), inputs->end());
  if (execution.outputs() == nullptr) return {};
  for (const int32_t index : *execution.outputs()) {
    std::optional<uint64_t>& size = plan.output_sizes.emplace_back();
    const fb::EValue& value = *execution.values()->Get(static_cast<uint32_t>(index));
    const fb::Tensor* tensor = value.val_as_Tensor();
    plan.output_devices.push_back(device_of(tensor, plan));
    if (tensor == nullptr || tensor->allocation_info() != nullptr ||
        tensor->data_buffer_idx() != 0 || !done.insert(index).second) {
      continue;
    }
    SLIPWAY_ASSIGN_OR_RETURN(
        size,
        nbytes_of(*tensor, fmt::format("{}: output {} of {}", file.name(),
                                       plan.output_sizes.size() - 1, execution.name()->str())));
  }
  return {};
}

// Of each tensor in planned memory, whether another one is there, too.
std::unordered_set<size_t> shared_tensors(const fb::ExecutionPlan& execution) {
  struct Place {
    uint32_t memory;
    uint64_t begin;
    uint64_t end;
    size_t value;
  };
  std::vector<Place> places;
  for (uint32_t i = 0; i < execution.values()->size(); ++i) {
    const fb::Tensor* tensor = execution.values()->Get(i)->val_as_Tensor();
    const auto* allocation = tensor == nullptr ? nullptr : tensor->allocation_info();
    const auto size = allocation == nullptr ? Result<uint64_t>(0) : nbytes_of(*tensor, "");
    if (!size.ok() || *size == 0) continue;
    const uint64_t begin = pte::offset_of(*allocation);
    places.push_back({allocation->memory_id(), begin, begin + *size, i});
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return std::tie(a.memory, a.begin) < std::tie(b.memory, b.begin);
  });
  std::unordered_set<size_t> shared;
  for (size_t i = 1, last = 0; i < places.size(); ++i) {
    // The one that reaches farthest of those before.
    if (places[i].memory == places[last].memory && places[i].begin < places[last].end) {
      shared.insert({places[i].value, places[last].value});
      if (places[i].end <= places[last].end) continue;
    }
    last = i;
  }
  return shared;
}

Status read_state(const pte::File& file, const fb::ExecutionPlan& execution, Plan& plan) {
  const std::vector<pte::StateBuffer> buffers = pte::state_of(execution);
  if (buffers.empty()) return {};
  const std::unordered_set<size_t> shared = shared_tensors(execution);
  const bool shares = pte::shares_state(file.program());
  for (const pte::StateBuffer& buffer : buffers) {
    Plan::State& state = plan.state.emplace_back();
    state.name = buffer.name;
    state.value = buffer.value;
    state.device = device_of(buffer.tensor, plan);
    state.has_views = shared.contains(buffer.value);
    state.is_shared = shares && pte::is_in_shared_memory(buffer);
    SLIPWAY_ASSIGN_OR_RETURN(
        state.initial,
        initial_value(file, *buffer.tensor, fmt::format("{}: buffer {}", file.name(), state.name)));
  }
  return {};
}

// The call of this kernel, if the instruction is one; null else.
const fb::KernelCall* call_of(const fb::ExecutionPlan& execution, uint32_t instruction,
                              std::string_view name) {
  const auto& instructions = *execution.chains()->Get(0)->instructions();
  if (instruction >= instructions.size()) return nullptr;
  const auto* call = instructions.Get(instruction)->instr_args_as_KernelCall();
  if (call == nullptr) return nullptr;
  const fb::Operator& op = *execution.operators()->Get(static_cast<uint32_t>(call->op_index()));
  return op.name()->string_view() == name ? call : nullptr;
}

const fb::Tensor* argument_of(const fb::ExecutionPlan& execution, const fb::KernelCall& call,
                              uint32_t index) {
  return execution.values()->Get(static_cast<uint32_t>(call.args()->Get(index)))->val_as_Tensor();
}

// The state whose initial values the first run brings to a device, by instructions at the front
// (pte/emitter/emitter.h). Nothing where they are not so.
Status read_first_run(const pte::File& file, const fb::ExecutionPlan& execution, Plan& plan) {
  const auto& instructions = *execution.chains()->Get(0)->instructions();
  const auto* jump =
      instructions.size() == 0 ? nullptr : instructions.Get(0)->instr_args_as_JumpFalseCall();
  if (jump == nullptr) return {};
  const auto flag = static_cast<int32_t>(jump->cond_value_index());
  const fb::Tensor* tensor = execution.values()->Get(static_cast<uint32_t>(flag))->val_as_Tensor();
  if (tensor == nullptr || tensor->allocation_info() == nullptr || device_of(tensor, plan))
    return {};
  SLIPWAY_ASSIGN_OR_RETURN(const auto begins, initial_value(file, *tensor, file.name()));
  if (begins.size() != 1 || begins[0] != std::byte{1}) return {};
  std::vector<std::pair<Plan::State*, const fb::Tensor*>> found;
  uint32_t next = 1;
  for (; const auto* copy = call_of(execution, next, "et_copy::_h2d_copy"); ++next) {
    const auto to = static_cast<size_t>(copy->args()->Get(1));
    const auto state = std::find_if(plan.state.begin(), plan.state.end(),
                                    [&](const Plan::State& one) { return one.value == to; });
    const fb::Tensor* from = argument_of(execution, *copy, 0);
    if (state == plan.state.end() || from->allocation_info() != nullptr ||
        from->data_buffer_idx() == 0) {
      return {};
    }
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t size, nbytes_of(*from, file.name()));
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t needed,
                             nbytes_of(*argument_of(execution, *copy, 1), file.name()));
    if (size != needed) return {};
    found.emplace_back(&*state, from);
  }
  const auto* end = call_of(execution, next, "aten::logical_not");
  if (end == nullptr || end->args()->Get(0) != flag || end->args()->Get(1) != flag ||
      jump->destination_instruction() != static_cast<int64_t>(next) + 1) {
    return {};
  }
  for (const auto& [state, from] : found) {
    SLIPWAY_ASSIGN_OR_RETURN(state->initial,
                             data_of(file, *from, file.program().constant_segment(),
                                     fmt::format("{}: buffer {}", file.name(), state->name)));
  }
  const fb::AllocationDetails& place = *tensor->allocation_info();
  plan.first_run = {place.memory_id() - 1, pte::offset_of(place)};
  return {};
}

}  // namespace

Result<uint64_t> nbytes_of(const fb::Tensor& tensor, const std::string& where) {
  std::vector<int64_t> sizes;
  if (tensor.sizes() != nullptr) sizes.assign(tensor.sizes()->begin(), tensor.sizes()->end());
  const auto dtype =
      from_executorch(static_cast<executorch::aten::ScalarType>(tensor.scalar_type()));
  if (!dtype) {
    return unsupported("{} has element type {}, which Slipway does not run", where,
                       fb::EnumNameScalarType(tensor.scalar_type()));
  }
  return contiguous_nbytes(*dtype, sizes);
}

Result<Plan> read_plan(const pte::File& file, const std::string& method) {
  const fb::ExecutionPlan* execution = file.plan(method);
  if (execution == nullptr) return not_found("{} has no method '{}'", file.name(), method);
  Plan plan;
  const auto* sizes = execution->non_const_buffer_sizes();
  // The first entry is reserved for constants.
  for (uint32_t i = 1; sizes != nullptr && i < sizes->size(); ++i) {
    plan.planned_sizes.push_back(static_cast<uint64_t>(sizes->Get(i)));
  }
  if (execution->inputs() != nullptr) {
    plan.inputs.assign(execution->inputs()->begin(), execution->inputs()->end());
    for (const size_t input : plan.inputs) {
      const fb::Tensor* tensor =
          execution->values()->Get(static_cast<uint32_t>(input))->val_as_Tensor();
      plan.is_copied.push_back(tensor != nullptr && tensor->allocation_info() != nullptr);
    }
  }
  if (execution->outputs() != nullptr) {
    plan.outputs.assign(execution->outputs()->begin(), execution->outputs()->end());
  }
  plan.planned_devices.resize(plan.planned_sizes.size());
  if (execution->non_const_buffer_device() != nullptr) {
    for (const fb::NonConstBufferDevice* device : *execution->non_const_buffer_device()) {
      if (device->device_type() == fb::DeviceType::CPU) continue;
      plan.planned_devices[static_cast<size_t>(device->buffer_idx()) - 1] = device->device_index();
    }
  }
  SLIPWAY_RETURN_IF_ERROR(read_outputs(file, *execution, plan));
  SLIPWAY_RETURN_IF_ERROR(read_state(file, *execution, plan));
  if (file.manifest()) SLIPWAY_RETURN_IF_ERROR(read_first_run(file, *execution, plan));
  plan.loops = find_loops(*execution);
  return plan;
}

std::vector<std::string> method_names(const pte::File& file) {
  std::vector<std::string> names;
  for (const fb::ExecutionPlan* execution : *file.program().execution_plan()) {
    names.push_back(execution->name()->str());
  }
  return names;
}

std::optional<uint64_t> size_alone(const fb::ExecutionPlan& execution, size_t value) {
  const fb::Tensor* tensor = execution.values()->Get(static_cast<uint32_t>(value))->val_as_Tensor();
  if (tensor == nullptr || tensor->allocation_info() == nullptr) return std::nullopt;
  if (tensor->data_buffer_idx() != 0) return std::nullopt;  // it begins with a value
  const auto* extra = tensor->extra_tensor_info();
  const auto* name = extra == nullptr ? nullptr : extra->fully_qualified_name();
  if ((name != nullptr && name->size() > 0) || shared_tensors(execution).contains(value)) {
    return std::nullopt;
  }
  const auto size = nbytes_of(*tensor, "");
  return size.ok() ? std::optional(*size) : std::nullopt;
}

}  // namespace slipway::runtime
