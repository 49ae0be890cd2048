// State that the methods of a module have in common.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <set>

#include <executorch/runtime/core/device_allocator.h>

#include "pte/reader/reader.h"
#include "runtime/memory.h"
#include "runtime/platform.h"
#include "slipway/result.h"

namespace slipway::runtime {

// A mutable buffer in the memory of a device, with its place on the host.
struct DeviceBuffer {
  DeviceBuffer() = default;
  ~DeviceBuffer();
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  void* host = nullptr;
  void* device = nullptr;  // null: it is on the host alone
  size_t nbytes = 0;
  et::DeviceAllocator* allocator = nullptr;
  et::etensor::DeviceIndex index = 0;
  bool is_device_owned = false;  // else it is the file's
  bool is_on_device = false;     // the newer value is there
};

// Belongs to one thread at a time.
struct SharedState {
  // The memory, of zeros, where methods of the file share state. Before the first is prepared.
  Status allocate(const pte::File& file, const LoadOptions& options);
  bool has(const void* place) const;

  std::shared_ptr<const Memory> memory;
  // Where initial values have been read, which is once, by whichever method is prepared first.
  std::set<const void*> filled;
  // Those that any method has had, by their places in `memory`.
  std::map<const void*, std::shared_ptr<DeviceBuffer>> buffers;
};

}  // namespace slipway::runtime
