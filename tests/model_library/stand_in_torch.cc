#include "model_library/stand_in_torch.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>

#include "check.h"
#include "cuda/driver/device.h"
#include "slipway/export.h"

namespace slipway::stand_in_torch {
namespace {

constexpr std::array<std::pair<DType, int32_t>, 6> kNumbers = {{{DType::kUInt8, 0},
                                                                {DType::kInt64, 4},
                                                                {DType::kFloat16, 5},
                                                                {DType::kFloat32, 6},
                                                                {DType::kFloat64, 7},
                                                                {DType::kBool, 11}}};

std::atomic<size_t> tensors{0};
// Work that is queued may still use it.
std::vector<std::pair<cuda::DevicePointer, cuda::Address>> freed;
thread_local void* current_stream = nullptr;

cuda::DevicePointer device_at(int32_t index) {
  static std::map<int32_t, cuda::DevicePointer> devices;
  auto& device = devices[index];
  if (!device) {
    auto opened = cuda::Device::open(index);
    CHECK(opened.ok());
    device = *std::move(opened);
  }
  return device;
}

std::vector<int64_t> contiguous(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> strides(sizes.size());
  int64_t stride = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= sizes[i] > 0 ? sizes[i] : 1;
  }
  return strides;
}

DType dtype_of(int32_t number) {
  for (const auto& [dtype, known] : kNumbers) {
    if (known == number) return dtype;
  }
  CHECK(false);
  return DType::kUInt8;
}

size_t nbytes_of(const TorchTensor& tensor) {
  return *contiguous_nbytes(dtype_of(tensor.type), tensor.sizes);
}

std::shared_ptr<void> allocate(size_t nbytes, Place place) {
  if (nbytes == 0) return nullptr;
  if (place.type == kCpu) return {std::malloc(nbytes), std::free};
  const auto device = device_at(place.index);
  const auto current = device->make_current();
  cuda::Address address = 0;
  CHECK(current.ok() && device->driver().call().allocate(&address, nbytes) == 0);
  return {reinterpret_cast<void*>(address),
          [device, address](void*) { freed.emplace_back(device, address); }};
}

TorchTensor* make_tensor(std::vector<int64_t> sizes, std::vector<int64_t> strides, int32_t type,
                         Place place) {
  auto* const tensor =
      new TorchTensor{nullptr, nullptr, std::move(sizes), std::move(strides), type, place};
  tensor->memory = allocate(nbytes_of(*tensor), place);
  tensor->data = tensor->memory.get();
  ++tensors;
  return tensor;
}

// Between devices and the host the caller waits, as with memory that is not pinned.
void copy(const TorchTensor& to, const TorchTensor& from, void* stream) {
  CHECK(to.sizes == from.sizes && to.type == from.type && from.strides == contiguous(from.sizes));
  const size_t nbytes = nbytes_of(from);
  const Place on = to.place.type == kCuda ? to.place : from.place;
  if (nbytes == 0 || on.type == kCpu) {
    if (nbytes > 0) std::memcpy(to.data, from.data, nbytes);
    return;
  }
  const auto device = device_at(on.index);
  const auto current = device->make_current();
  if (to.place.type == from.place.type) {
    CHECK(device->driver().call().copy_on_device(reinterpret_cast<cuda::Address>(to.data),
                                                 reinterpret_cast<cuda::Address>(from.data), nbytes,
                                                 stream) == 0);
    return;
  }
  CHECK(device->driver().call().wait_for_stream(stream) == 0);
  std::memcpy(to.data, from.data, nbytes);
}

}  // namespace

int32_t number_of(DType dtype) {
  for (const auto& [known, number] : kNumbers) {
    if (known == dtype) return number;
  }
  CHECK(false);
  return -1;
}

void* make_stream(int32_t device) {
  const auto current = device_at(device)->make_current();
  void* stream = nullptr;
  CHECK(device_at(device)->driver().call().create_stream(&stream, 1) == 0);
  return stream;
}

void wait_for(void* stream, int32_t device) {
  {
    const auto current = device_at(device)->make_current();
    CHECK(device_at(device)->driver().call().wait_for_stream(stream) == 0);
  }
  for (const auto& [owner, address] : freed) {
    const auto current = owner->make_current();
    CHECK(owner->driver().call().free(address) == 0);
  }
  freed.clear();
}

TorchTensor* to_torch(const Tensor& tensor, Place place, void* stream) {
  const auto make = [&](Place where) {
    return make_tensor(tensor.sizes(), contiguous(tensor.sizes()), number_of(tensor.dtype()),
                       where);
  };
  TorchTensor* const made = make(place);
  if (tensor.nbytes() == 0) return made;
  if (place.type == kCpu) {
    std::memcpy(made->data, tensor.data(), tensor.nbytes());
    return made;
  }
  TorchTensor* const there = make(place);
  std::memcpy(there->data, tensor.data(), tensor.nbytes());
  copy(*made, *there, stream);
  delete_tensor(there);
  return made;
}

Tensor to_host(const TorchTensor& tensor) {
  auto made = Tensor::zeros(dtype_of(tensor.type), tensor.sizes);
  CHECK(made.ok() && tensor.strides == contiguous(tensor.sizes));
  if (made->nbytes() > 0) std::memcpy(made->data(), tensor.data, made->nbytes());
  return *std::move(made);
}

void delete_tensor(TorchTensor* tensor) {
  --tensors;
  delete tensor;
}

size_t live_tensors() { return tensors; }

}  // namespace slipway::stand_in_torch

using namespace slipway::stand_in_torch;  // NOLINT(google-build-using-namespace)

extern "C" {

SLIPWAY_API int32_t aoti_torch_delete_tensor_object(TorchTensor* tensor) {
  delete_tensor(tensor);
  return 0;
}
SLIPWAY_API int32_t aoti_torch_get_data_ptr(TorchTensor* tensor, void** data) {
  *data = tensor->data;
  return 0;
}
SLIPWAY_API int32_t aoti_torch_get_dim(TorchTensor* tensor, int64_t* rank) {
  *rank = static_cast<int64_t>(tensor->sizes.size());
  return 0;
}
SLIPWAY_API int32_t aoti_torch_get_sizes(TorchTensor* tensor, int64_t** sizes) {
  *sizes = tensor->sizes.data();
  return 0;
}
SLIPWAY_API int32_t aoti_torch_get_strides(TorchTensor* tensor, int64_t** strides) {
  *strides = tensor->strides.data();
  return 0;
}
SLIPWAY_API int32_t aoti_torch_get_dtype(TorchTensor* tensor, int32_t* type) {
  *type = tensor->type;
  return 0;
}
SLIPWAY_API int32_t aoti_torch_get_device_type(TorchTensor* tensor, int32_t* type) {
  *type = tensor->place.type;
  return 0;
}
SLIPWAY_API int32_t aoti_torch_get_device_index(TorchTensor* tensor, int32_t* index) {
  *index = tensor->place.index;
  return 0;
}
SLIPWAY_API int32_t aoti_torch_get_current_device_index(int32_t* index) {
  *index = kCurrentDevice;
  return 0;
}
SLIPWAY_API int32_t aoti_torch_empty_strided(int64_t rank, const int64_t* sizes,
                                             const int64_t* strides, int32_t type,
                                             int32_t device_type, int32_t device_index,
                                             TorchTensor** tensor) {
  *tensor = make_tensor({sizes, sizes + rank}, {strides, strides + rank}, type,
                        {device_type, device_index});
  return 0;
}
SLIPWAY_API int32_t aoti_torch_create_tensor_from_blob(void* data, int64_t rank,
                                                       const int64_t* sizes, const int64_t* strides,
                                                       int64_t offset, int32_t type,
                                                       int32_t device_type, int32_t device_index,
                                                       TorchTensor** tensor) {
  CHECK(offset == 0);
  *tensor = new TorchTensor{nullptr,
                            data,
                            {sizes, sizes + rank},
                            {strides, strides + rank},
                            type,
                            {device_type, device_index}};
  ++tensors;
  return 0;
}
SLIPWAY_API int32_t aoti_torch_copy_(TorchTensor* to, TorchTensor* from, int32_t /*non_blocking*/) {
  copy(*to, *from, current_stream);
  return 0;
}
SLIPWAY_API int32_t aoti_torch_create_cuda_stream_guard(void* stream, int32_t /*device_index*/,
                                                        void** guard) {
  *guard = new (void*)(std::exchange(current_stream, stream));
  return 0;
}
SLIPWAY_API int32_t aoti_torch_delete_cuda_stream_guard(void* guard) {
  auto* const before = static_cast<void**>(guard);
  current_stream = *before;
  delete before;
  return 0;
}

}  // extern "C"
