#include "runtime/shared_state.h"

#include <algorithm>
#include <cstdint>

#include "base/error.h"
#include "base/try.h"
#include "pte/format/layout.h"
#include "pte/format/program_generated.h"
#include "pte/reader/state.h"

namespace slipway::runtime {

DeviceBuffer::~DeviceBuffer() {
  if (is_device_owned) allocator->deallocate(device, index);
}

Status SharedState::allocate(const pte::File& file, const LoadOptions& options) {
  if (!pte::shares_state(file.program())) return {};
  int64_t most = 0;
  for (const auto* plan : *file.program().execution_plan()) {
    const auto& sizes = *plan->non_const_buffer_sizes();
    if (sizes.size() > pte::kSharedMemoryId) most = std::max(most, sizes.Get(pte::kSharedMemoryId));
  }
  const auto size = static_cast<uint64_t>(most);
  const std::string what = fmt::format("the state that methods of {} share", file.name());
  if (size > memory_limit(options)) {
    return resource_exhausted("{} takes {} bytes, and {} are allowed (option 'memory_limit')", what,
                              size, memory_limit(options));
  }
  SLIPWAY_ASSIGN_OR_RETURN(Memory pages, Memory::allocate(size, what));
  memory = std::make_shared<const Memory>(std::move(pages));
  return {};
}

bool SharedState::has(const void* place) const {
  return memory && place >= memory->data() && place < memory->data() + memory->size();
}

}  // namespace slipway::runtime
