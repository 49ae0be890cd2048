// The state of one method in the memory of a device: what the file plans there, and what engines
// that run there alone use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <executorch/runtime/core/device_allocator.h>
#include <executorch/runtime/executor/method.h>

#include "pte/reader/reader.h"
#include "runtime/backends.h"
#include "runtime/memory.h"
#include "runtime/plan.h"
#include "runtime/platform.h"
#include "runtime/shared_state.h"
#include "slipway/result.h"

namespace slipway::runtime {

// Runs find and leave it on the device; it is copied only when somebody else reads or writes it.
// What the file plans on the host has its place in ExecuTorch's plan there. Belongs to one thread
// at a time.
class DeviceState {
 public:
  // Before the first run. `program` is what the engines' delegates know the method by. The places
  // on the host of what the file plans on the device are added to `host`. State that the device has
  // no room for stays on the host, which `warn` is told. What methods share has one place on a
  // device, where any of them uses it there. The method may be destroyed before this or after it,
  // but not run after it.
  Status place(const pte::File& file, const std::string& method_name, const Plan& plan,
               const std::string& program, et::Method& method, SharedState& shared,
               std::vector<Memory>& host, const std::function<void(const std::string&)>& warn);

  // Brings it to where this method uses it, where it is not there: before a run.
  Status to_users();
  // The other way: before somebody reads or writes it on the host, which has the newer value then.
  Status to_host();
  // Before all of it is written on the host: what is on the device counts no more.
  void drop();
  // Whether the state that is this value is used on a device.
  bool has(size_t value) const;
  // Where the state of this place in the plan is on the host; null where it is no other than
  // ExecuTorch's tensor says.
  void* host(size_t state) const;

 private:
  struct Use {
    size_t state = 0;
    size_t value = 0;
    bool is_there = false;  // the method uses it on the device
    std::shared_ptr<DeviceBuffer> buffer = {};
  };
  Status place_planned(const std::string& what, size_t state, const Plan& plan, et::Method& method,
                       std::vector<Memory>& host);
  static Status to_host(DeviceBuffer& buffer);

  std::vector<Use> uses_;
};

// What memory the delegates of a plan, by their places, have of the device that all of them run on;
// nothing where they differ, or one of them has none. `program` as above.
std::optional<CudaMemory> memory_of(const executorch_flatbuffer::ExecutionPlan& plan,
                                    const std::set<uint32_t>& delegates,
                                    const std::string& program);

}  // namespace slipway::runtime
