#include "runtime/plan.h"

#include <unordered_set>

#include "base/checked.h"
#include "base/error.h"
#include "base/try.h"
#include "pte/format/program_generated.h"
#include "pte/reader/state.h"
#include "runtime/element_types.h"

namespace slipway::runtime {
namespace {

namespace fb = executorch_flatbuffer;

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

Result<std::span<const std::byte>> initial_value(const pte::File& file, const fb::Tensor& tensor,
                                                 const std::string& where) {
  if (tensor.data_buffer_idx() == 0) return std::span<const std::byte>();
  const auto damaged = [&] {
    return invalid_file("{}: the initial value is not in the file", where);
  };
  const auto* groups = file.program().mutable_data_segments();
  const uint64_t group = tensor.extra_tensor_info()->mutable_data_segments_idx();
  if (groups == nullptr || group >= groups->size()) return damaged();
  const fb::SubsegmentOffsets& subsegments = *groups->Get(static_cast<uint32_t>(group));
  const auto* offsets = subsegments.offsets();
  if (offsets == nullptr || tensor.data_buffer_idx() >= offsets->size()) return damaged();
  SLIPWAY_ASSIGN_OR_RETURN(auto segment, file.segment(subsegments.segment_index()));
  SLIPWAY_ASSIGN_OR_RETURN(uint64_t nbytes, nbytes_of(tensor, where));
  const uint64_t offset = offsets->Get(tensor.data_buffer_idx());
  if (!range_fits(offset, nbytes, segment.size())) return damaged();
  return segment.subspan(offset, nbytes);
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

Status read_state(const pte::File& file, const fb::ExecutionPlan& execution, Plan& plan) {
  for (const pte::StateBuffer& buffer : pte::state_of(execution)) {
    Plan::State& state = plan.state.emplace_back();
    state.name = buffer.name;
    SLIPWAY_ASSIGN_OR_RETURN(
        state.initial,
        initial_value(file, *buffer.tensor, fmt::format("{}: buffer {}", file.name(), state.name)));
  }
  return {};
}

}  // namespace

Result<Plan> read_plan(const pte::File& file, const std::string& method) {
  const fb::ExecutionPlan* execution = file.plan(method);
  if (execution == nullptr) return not_found("{} has no method '{}'", file.name(), method);
  Plan plan;
  const auto* sizes = execution->non_const_buffer_sizes();
  // The first entry is reserved for constants.
  for (uint32_t i = 1; sizes != nullptr && i < sizes->size(); ++i) {
    plan.planned_sizes.push_back(static_cast<uint64_t>(sizes->Get(i)));
  }
  SLIPWAY_RETURN_IF_ERROR(read_outputs(file, *execution, plan));
  SLIPWAY_RETURN_IF_ERROR(read_state(file, *execution, plan));
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

}  // namespace slipway::runtime
