#include "pte/reader/state.h"

#include <unordered_set>

#include "pte/reader/tables.h"

namespace slipway::pte {

std::vector<StateBuffer> state_of(const fb::ExecutionPlan& plan) {
  std::vector<StateBuffer> buffers;
  std::unordered_set<std::string_view> names;
  for (const fb::EValue* value : *plan.values()) {
    const fb::Tensor* tensor = value->val_as_Tensor();
    if (tensor == nullptr || tensor->allocation_info() == nullptr ||
        tensor->extra_tensor_info() == nullptr) {
      continue;
    }
    const std::string_view name = view(tensor->extra_tensor_info()->fully_qualified_name());
    if (!name.empty() && names.insert(name).second) buffers.push_back({name, tensor});
  }
  return buffers;
}

}  // namespace slipway::pte
