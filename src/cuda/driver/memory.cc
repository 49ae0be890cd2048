#include "cuda/driver/memory.h"

#include <cstring>

#include "base/error.h"
#include "base/try.h"

namespace slipway::cuda {
namespace {

// CUDA's numbers.
constexpr int kInvalidValue = 1;
constexpr int kMemoryType = 2;
constexpr int kIsManaged = 8;
constexpr int kDeviceOrdinal = 9;
constexpr unsigned kTypeHost = 1;
constexpr unsigned kHostPortable = 1;

// The error of an allocation, with what the device has.
Status check_allocation(const Device& device, int code, const char* what, size_t size) {
  const Status status = device.driver().check(
      code, fmt::format("{} of {} bytes for {}", what, size, describe(device.info())));
  if (status.ok()) return {};
  return Error(status.error().code(),
               fmt::format("{}: {}", status.error().message(), device.memory_text()));
}

}  // namespace

Result<Place> find_place(const Driver& driver, const void* data) {
  const auto address = reinterpret_cast<Address>(data);
  const char* const what = "an address can't be looked up";
  unsigned type = 0;
  const int code = driver.call().pointer_attribute(&type, kMemoryType, address);
  if (code == kInvalidValue) return Place{};
  SLIPWAY_RETURN_IF_ERROR(driver.check(code, what));
  unsigned managed = 0;
  SLIPWAY_RETURN_IF_ERROR(
      driver.check(driver.call().pointer_attribute(&managed, kIsManaged, address), what));
  if (type == kTypeHost && managed == 0) return Place{Place::Kind::kPinned, 0};
  Place place = {Place::Kind::kDevice, 0};
  SLIPWAY_RETURN_IF_ERROR(
      driver.check(driver.call().pointer_attribute(&place.device, kDeviceOrdinal, address), what));
  return place;
}

DeviceBuffer::~DeviceBuffer() { release(); }

void DeviceBuffer::release() {
  if (address_ == 0) return;
  if (const auto current = device_->make_current(); current.ok()) {
    device_->driver().call().free(address_);
  }
  address_ = 0;
  size_ = 0;
}

Status DeviceBuffer::reserve(size_t size) {
  if (size <= size_) return {};
  release();
  SLIPWAY_ASSIGN_OR_RETURN(const Current current, device_->make_current());
  SLIPWAY_RETURN_IF_ERROR(check_allocation(
      *device_, device_->driver().call().allocate(&address_, size), "no memory", size));
  size_ = size;
  return {};
}

PinnedBuffer::~PinnedBuffer() { release(); }

void PinnedBuffer::release() {
  if (data_ == nullptr) return;
  if (const auto current = device_->make_current(); current.ok()) {
    device_->driver().call().free_host(data_);
  }
  data_ = nullptr;
  size_ = 0;
}

Status PinnedBuffer::reserve(size_t size) {
  if (size <= size_) return {};
  release();
  SLIPWAY_ASSIGN_OR_RETURN(const Current current, device_->make_current());
  SLIPWAY_RETURN_IF_ERROR(check_allocation(
      *device_, device_->driver().call().allocate_host(&data_, size, kHostPortable),
      "no pinned memory of the host", size));
  size_ = size;
  return {};
}

Status Staging::reserve(size_t size) { return on_device_.reserve(size); }

Status Staging::upload(const void* data, size_t size, const Stream& stream) {
  if (size == 0) return {};
  SLIPWAY_RETURN_IF_ERROR(pinned_.reserve(size));
  std::memcpy(pinned_.data(), data, size);
  const Driver& driver = device_->driver();
  return driver.check(
      driver.call().copy_to_device(on_device_.address(), pinned_.data(), size, stream.handle()),
      fmt::format("{} bytes don't get to {}", size, describe(device_->info())));
}

Status Staging::download(Address from, size_t size, const Stream& stream) {
  if (size == 0) return {};
  SLIPWAY_RETURN_IF_ERROR(pinned_.reserve(size));
  const Driver& driver = device_->driver();
  return driver.check(driver.call().copy_to_host(pinned_.data(), from, size, stream.handle()),
                      fmt::format("{} bytes don't come from {}", size, describe(device_->info())));
}

void Staging::finish_download(void* data, size_t size) const {
  if (size > 0) std::memcpy(data, pinned_.data(), size);
}

}  // namespace slipway::cuda
