// Kernels of a device, out of machine code or PTX.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "cuda/driver/device.h"

namespace slipway::cuda {

// A kernel, which its module keeps.
using Function = void*;

struct LaunchShape {
  std::array<uint32_t, 3> grid = {1, 1, 1};
  std::array<uint32_t, 3> block = {1, 1, 1};
  uint32_t shared_bytes = 0;
};

// While the device is current. For one thread at a time.
class Module {
 public:
  // The code is machine code or PTX. kUnsupported where it is not for this device or the driver is
  // too old for it.
  static Result<Module> load(DevicePointer device, std::span<const std::byte> code);
  Module(Module&& other) noexcept
      : device_(std::move(other.device_)), handle_(std::exchange(other.handle_, nullptr)) {}
  Module& operator=(Module&&) = delete;
  ~Module();

  Result<Function> find(const std::string& name) const;
  // For launches with so many bytes of dynamic shared memory; the most that the device has is
  // kUnsupported beyond it.
  Status allow_shared_bytes(Function function, uint32_t bytes) const;

 private:
  Module(DevicePointer device, void* handle) : device_(std::move(device)), handle_(handle) {}
  DevicePointer device_;
  void* handle_;
};

}  // namespace slipway::cuda
