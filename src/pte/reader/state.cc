#include "pte/reader/state.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <unordered_set>

#include "pte/format/allocation.h"
#include "pte/format/layout.h"
#include "pte/format/scalar_types.h"
#include "pte/reader/tables.h"
#include "slipway/tensor.h"

namespace slipway::pte {
namespace {

struct Range {
  uint64_t begin = 0;
  uint64_t end = 0;
};

bool is_in_shared_memory(const fb::Tensor* tensor) {
  return tensor != nullptr && tensor->allocation_info() != nullptr &&
         tensor->allocation_info()->memory_id() == kSharedMemoryId;
}

Range range_of(const fb::Tensor& tensor) {
  const std::vector<int64_t> sizes(tensor.sizes()->begin(), tensor.sizes()->end());
  const auto nbytes = contiguous_nbytes(*dtype_of(tensor.scalar_type()), sizes);
  const uint64_t begin = offset_of(*tensor.allocation_info());
  return {begin, begin + (nbytes.ok() ? *nbytes : 0)};
}

bool is_of_device(const fb::ExecutionPlan& plan) {
  const auto* devices = plan.non_const_buffer_device();
  return devices != nullptr &&
         std::any_of(devices->begin(), devices->end(), [](const fb::NonConstBufferDevice* device) {
           return static_cast<uint32_t>(device->buffer_idx()) == kSharedMemoryId &&
                  device->device_type() != fb::DeviceType::CPU;
         });
}

}  // namespace

std::vector<StateBuffer> state_of(const fb::ExecutionPlan& plan) {
  std::vector<StateBuffer> buffers;
  std::unordered_set<std::string_view> names;
  for (uint32_t i = 0; i < plan.values()->size(); ++i) {
    const fb::Tensor* tensor = plan.values()->Get(i)->val_as_Tensor();
    if (tensor == nullptr || tensor->extra_tensor_info() == nullptr) continue;
    // ExecuTorch finds the first one of a name.
    const std::string_view name = view(tensor->extra_tensor_info()->fully_qualified_name());
    if (name.empty() || !names.insert(name).second) continue;
    if (tensor->allocation_info() != nullptr) buffers.push_back({name, tensor, i});
  }
  return buffers;
}

bool is_in_shared_memory(const StateBuffer& buffer) { return is_in_shared_memory(buffer.tensor); }

bool shares_state(const fb::Program& program) {
  if (program.execution_plan()->size() < 2) return false;
  std::map<std::string_view, Range> places;
  size_t sharing = 0;
  for (const fb::ExecutionPlan* plan : *program.execution_plan()) {
    std::map<uint64_t, uint64_t> own;  // ends, by where buffers begin
    for (const StateBuffer& buffer : state_of(*plan)) {
      if (!is_in_shared_memory(buffer)) continue;
      const Range range = range_of(*buffer.tensor);
      const auto [place, is_new] = places.try_emplace(buffer.name, range);
      if (place->second.begin != range.begin || place->second.end != range.end) return false;
      own[range.begin] = std::max(own[range.begin], range.end);
    }
    for (const fb::EValue* value : *plan->values()) {
      const fb::Tensor* tensor = value->val_as_Tensor();
      if (!is_in_shared_memory(tensor)) continue;
      // A buffer, or another shape of one.
      const Range range = range_of(*tensor);
      const auto behind = own.upper_bound(range.begin);
      if (behind == own.begin() || std::prev(behind)->second < range.end) return false;
    }
    if (own.empty()) continue;
    if (is_of_device(*plan)) return false;
    ++sharing;
  }
  std::vector<Range> ranges;
  for (const auto& [name, range] : places) {
    if (range.begin < range.end) ranges.push_back(range);
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
  const auto overlap = [](const Range& a, const Range& b) { return b.begin < a.end; };
  return sharing > 1 && std::adjacent_find(ranges.begin(), ranges.end(), overlap) == ranges.end();
}

}  // namespace slipway::pte
