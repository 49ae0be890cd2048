#include "cuda/allocator/allocator.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/try.h"
#include "cuda/driver/memory.h"
#include "delegate/log.h"
#include "slipway/export.h"

namespace slipway::cuda {
namespace {

namespace et = executorch::runtime;
using et::etensor::DeviceIndex;

constexpr const char* kTitle = "CUDA memory";
// What is pinned for copies.
constexpr size_t kPiece = size_t{4} << 20;

et::Error refuse(const Error& error) {
  delegate::log_error(kTitle, error.message());
  switch (error.code()) {
    case ErrorCode::kResourceExhausted:
      return et::Error::MemoryAllocationFailed;
    case ErrorCode::kUnavailable:
      return et::Error::NotFound;
    default:
      return et::Error::Internal;
  }
}

// ExecuTorch's -1 is the current device.
int index_of(DeviceIndex index) { return std::max<int>(index, 0); }

// A device, as long as memory of it is given out.
struct Used {
  static Result<Used> open(int index) {
    SLIPWAY_ASSIGN_OR_RETURN(DevicePointer device, Device::open(index));
    SLIPWAY_ASSIGN_OR_RETURN(Stream stream, Stream::create(device));
    PinnedBuffer pinned(device);
    return Used{std::move(device), std::move(stream), std::move(pinned), {}};
  }

  // Has each piece of so many bytes copied through pinned memory.
  Status in_pieces(size_t size, const std::function<Status(size_t begin, size_t bytes)>& copy) {
    SLIPWAY_ASSIGN_OR_RETURN(const Current current, device->make_current());
    SLIPWAY_RETURN_IF_ERROR(pinned.reserve(std::min(size, kPiece)));
    for (size_t begin = 0; begin < size; begin += kPiece) {
      SLIPWAY_RETURN_IF_ERROR(copy(begin, std::min(kPiece, size - begin)));
    }
    return {};
  }
  Status upload(Address to, const std::byte* from, size_t size) {
    return in_pieces(size, [&](size_t begin, size_t bytes) -> Status {
      std::memcpy(pinned.data(), from + begin, bytes);
      SLIPWAY_RETURN_IF_ERROR(device->driver().check(
          device->driver().call().copy_to_device(to + begin, pinned.data(), bytes, stream.handle()),
          "a tensor does not get to the device"));
      return stream.wait();
    });
  }
  Status download(std::byte* to, Address from, size_t size) {
    return in_pieces(size, [&](size_t begin, size_t bytes) -> Status {
      SLIPWAY_RETURN_IF_ERROR(device->driver().check(
          device->driver().call().copy_to_host(pinned.data(), from + begin, bytes, stream.handle()),
          "a tensor does not come from the device"));
      SLIPWAY_RETURN_IF_ERROR(stream.wait());
      std::memcpy(to + begin, pinned.data(), bytes);
      return {};
    });
  }

  DevicePointer device;
  Stream stream;
  PinnedBuffer pinned;
  std::map<void*, DeviceBuffer> blocks;
};

class Allocator final : public et::DeviceAllocator {
 public:
  et::Result<void*> allocate(size_t nbytes, DeviceIndex index, size_t alignment) override {
    constexpr size_t kAlignment = 256;  // CUDA's
    if (alignment > kAlignment || (alignment & (alignment - 1)) != 0) {
      return refuse(invalid_argument("memory can't be aligned to {} bytes", alignment));
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    auto used = find(index_of(index));
    if (!used.ok()) return refuse(used.error());
    DeviceBuffer buffer((*used)->device);
    const Status reserved = buffer.reserve(std::max<size_t>(nbytes, 1));
    if (!reserved.ok()) {
      drop_unused();
      return refuse(reserved.error());
    }
    auto* const data = reinterpret_cast<void*>(buffer.address());
    (*used)->blocks.emplace(data, std::move(buffer));
    return data;
  }

  void deallocate(void* data, DeviceIndex index) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto used = used_.find(index_of(index));
    if (used != used_.end()) used->second.blocks.erase(data);
    drop_unused();
  }

  et::Error copy_host_to_device(void* to, const void* from, size_t nbytes,
                                DeviceIndex index) override {
    return copy(index, [&](Used& used) {
      return used.upload(reinterpret_cast<Address>(to), static_cast<const std::byte*>(from),
                         nbytes);
    });
  }
  et::Error copy_device_to_host(void* to, const void* from, size_t nbytes,
                                DeviceIndex index) override {
    return copy(index, [&](Used& used) {
      return used.download(static_cast<std::byte*>(to), reinterpret_cast<Address>(from), nbytes);
    });
  }

  et::etensor::DeviceType device_type() const override { return et::etensor::DeviceType::CUDA; }

 private:
  et::Error copy(DeviceIndex index, const std::function<Status(Used&)>& copy) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto used = find(index_of(index));
    if (!used.ok()) return refuse(used.error());
    const Status copied = copy(**used);
    drop_unused();
    return copied.ok() ? et::Error::Ok : refuse(copied.error());
  }
  Result<Used*> find(int index) {
    const auto known = used_.find(index);
    if (known != used_.end()) return &known->second;
    SLIPWAY_ASSIGN_OR_RETURN(Used used, Used::open(index));
    return &used_.emplace(index, std::move(used)).first->second;
  }
  // A context that is held keeps memory of its device.
  void drop_unused() {
    std::erase_if(used_, [](const auto& entry) { return entry.second.blocks.empty(); });
  }

  std::mutex mutex_;
  std::map<int, Used> used_;
};

}  // namespace

et::DeviceAllocator& allocator() {
  // Never destroyed: memory may be given back later than static destructors run.
  static auto* const process = new Allocator;
  return *process;
}

}  // namespace slipway::cuda

// engine::Description::takes_cuda_memory
extern "C" SLIPWAY_API executorch::runtime::DeviceAllocator* slipway_cuda_allocator() {
  return &slipway::cuda::allocator();
}

int slipway_cuda_register_device_allocator() {
  namespace et = executorch::runtime;
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  // A second one would end the process.
  if (et::get_device_allocator(et::etensor::DeviceType::CUDA) == nullptr) {
    et::register_device_allocator(&slipway::cuda::allocator());
  }
  const auto* const registered = et::get_device_allocator(et::etensor::DeviceType::CUDA);
  return registered == &slipway::cuda::allocator() ? 0 : 1;
}
