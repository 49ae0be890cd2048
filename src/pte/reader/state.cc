#include "pte/reader/state.h"

#include <unordered_set>

#include "pte/reader/tables.h"

namespace slipway::pte {

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

}  // namespace slipway::pte
