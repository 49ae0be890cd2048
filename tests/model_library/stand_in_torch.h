// A stand-in for the functions of PyTorch that models call, which find them in the program. Its
// tensors of CUDA devices are in the memory of NVIDIA's driver, or the stand-in for that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "slipway/tensor.h"

namespace slipway::stand_in_torch {

// c10::DeviceType's numbers.
inline constexpr int32_t kCpu = 0;
inline constexpr int32_t kCuda = 1;
struct Place {
  int32_t type = kCpu;
  int32_t index = 0;
};
// The device that is meant by "cuda".
inline constexpr int32_t kCurrentDevice = 1;

// What a handle points to.
struct TorchTensor {
  std::shared_ptr<void> memory;
  void* data = nullptr;
  std::vector<int64_t> sizes;
  std::vector<int64_t> strides;
  int32_t type = 0;  // c10::ScalarType's number
  Place place;
};

int32_t number_of(DType dtype);

// Of a device; it lives as long as the process.
void* make_stream(int32_t device);
// Until all is done that was queued on it. Memory of devices that was freed is theirs again then.
void wait_for(void* stream, int32_t device);

// A copy. To a device it is queued on the stream.
TorchTensor* to_torch(const Tensor& tensor, Place place, void* stream);
// Of one that is contiguous, once the work that makes it is done.
Tensor to_host(const TorchTensor& tensor);
void delete_tensor(TorchTensor* tensor);
// Those that there are.
size_t live_tensors();

}  // namespace slipway::stand_in_torch
