// State in the memory of a device: what the file plans there, and what engines that run there alone
// use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
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
#include "slipway/result.h"

namespace slipway::runtime {

// Runs find and leave it on the device; it is copied only when somebody else reads or writes it.
// What the file plans on the host has its place in ExecuTorch's plan there. Belongs to one thread
// at a time.
class DeviceState {
 public:
  DeviceState() = default;
  ~DeviceState();
  DeviceState(const DeviceState&) = delete;
  DeviceState& operator=(const DeviceState&) = delete;

  // Before the first run. `program` is what the engines' delegates know the method by. The places
  // on the host of what the file plans on the device are added to `host`. State that the device has
  // no room for stays on the host, which `warn` is told. The method may be destroyed before this or
  // after it, but not run after it.
  Status place(const pte::File& file, const std::string& method_name, const Plan& plan,
               const std::string& program, et::Method& method, std::vector<Memory>& host,
               const std::function<void(const std::string&)>& warn);

  // Brings it to the device, where it is not there: before a run.
  Status to_device();
  // The other way: before somebody reads or writes it on the host, which has the newer value then.
  Status to_host();
  // Before all of it is written on the host: what is on the device counts no more.
  void drop() { is_on_device_ = false; }
  // Whether the state that is this value is on a device.
  bool has(size_t value) const;
  // Where the state of this place in the plan is on the host; null where it is no other than
  // ExecuTorch's tensor says.
  void* host(size_t state) const;

 private:
  struct Buffer {
    size_t state = 0;
    size_t value = 0;
    void* host = nullptr;
    void* device = nullptr;
    size_t nbytes = 0;
    et::DeviceAllocator* allocator = nullptr;
    et::etensor::DeviceIndex index = 0;
    bool is_device_owned = false;  // else it is the file's
  };
  Status place_planned(const std::string& what, size_t state, const Plan& plan, et::Method& method,
                       std::vector<Memory>& host);
  using Copy = et::Error (*)(const Buffer& buffer);
  Status copy(Copy copy, const char* context);

  std::vector<Buffer> buffers_;
  bool is_on_device_ = false;
};

// What memory the delegates of a plan, by their places, have of the device that all of them run on;
// nothing where they differ, or one of them has none. `program` as above.
std::optional<CudaMemory> memory_of(const executorch_flatbuffer::ExecutionPlan& plan,
                                    const std::set<uint32_t>& delegates,
                                    const std::string& program);

}  // namespace slipway::runtime
