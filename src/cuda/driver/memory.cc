#include "cuda/driver/memory.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"
#include "base/try.h"

namespace slipway::cuda {
namespace {

// CUDA's numbers.
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
  unsigned type = 0;  // Left so for memory that the driver does not know.
  unsigned managed = 0;
  int device = 0;
  std::array<int, 3> attributes = {kMemoryType, kIsManaged, kDeviceOrdinal};
  std::array<void*, 3> values = {&type, &managed, &device};
  SLIPWAY_RETURN_IF_ERROR(
      driver.check(driver.call().pointer_attributes(attributes.size(), attributes.data(),
                                                    values.data(), reinterpret_cast<Address>(data)),
                   "an address can't be looked up"));
  if (type == 0) return Place{};
  if (type == kTypeHost && managed == 0) return Place{Place::Kind::kPinned, 0};
  return Place{Place::Kind::kDevice, device};
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

Status Staging::prepare_ring(size_t size) {
  SLIPWAY_RETURN_IF_ERROR(pinned_.reserve(std::min(size, kChunks * kChunk)));
  while (size > kChunk && through_.size() < kChunks) {
    SLIPWAY_ASSIGN_OR_RETURN(Event event, Event::create(device_));
    through_.push_back(std::move(event));
  }
  return {};
}

// Chunk by chunk: one is copied by the processor while those before it are on their way.
Status Staging::upload(const void* data, size_t size, const Stream& stream) {
  if (size == 0) return {};
  SLIPWAY_RETURN_IF_ERROR(prepare_ring(size));
  const auto* const from = static_cast<const std::byte*>(data);
  for (size_t begin = 0, i = 0; begin < size; begin += kChunk, ++i) {
    const size_t bytes = std::min(kChunk, size - begin);
    if (i >= kChunks) SLIPWAY_RETURN_IF_ERROR(through_[i % kChunks].wait());
    std::memcpy(chunk(i), from + begin, bytes);
    SLIPWAY_RETURN_IF_ERROR(upload_pinned(chunk(i), begin, bytes, stream));
    if (size > kChunk) SLIPWAY_RETURN_IF_ERROR(through_[i % kChunks].record(stream));
  }
  return {};
}

Status Staging::upload_pinned(const void* data, size_t size, const Stream& stream) {
  return upload_pinned(data, 0, size, stream);
}

Status Staging::upload_pinned(const void* data, size_t begin, size_t size, const Stream& stream) {
  const Driver& driver = device_->driver();
  return driver.check(
      driver.call().copy_to_device(on_device_.address() + begin, data, size, stream.handle()),
      [&] { return fmt::format("{} bytes don't get to {}", size, describe(device_->info())); });
}

Status Staging::download(Address from, size_t size, const Stream& stream) {
  if (size == 0) return {};
  SLIPWAY_RETURN_IF_ERROR(prepare_ring(size));
  from_ = from;
  const size_t count = std::min(kChunks, (size + kChunk - 1) / kChunk);
  for (size_t i = 0; i < count; ++i) SLIPWAY_RETURN_IF_ERROR(download_chunk(i, size, stream));
  return {};
}

Status Staging::download_chunk(size_t i, size_t size, const Stream& stream) {
  const size_t begin = i * kChunk;
  SLIPWAY_RETURN_IF_ERROR(
      download_pinned(chunk(i), from_ + begin, std::min(kChunk, size - begin), stream));
  return size > kChunk ? through_[i % kChunks].record(stream) : Status();
}

Status Staging::download_pinned(void* data, Address from, size_t size, const Stream& stream) const {
  const Driver& driver = device_->driver();
  return driver.check(driver.call().copy_to_host(data, from, size, stream.handle()), [&] {
    return fmt::format("{} bytes don't come from {}", size, describe(device_->info()));
  });
}

Status Staging::finish_download(void* data, size_t size, const Stream& stream) {
  auto* const to = static_cast<std::byte*>(data);
  for (size_t begin = 0, i = 0; begin < size; begin += kChunk, ++i) {
    if (size > kChunk) SLIPWAY_RETURN_IF_ERROR(through_[i % kChunks].wait());
    std::memcpy(to + begin, chunk(i), std::min(kChunk, size - begin));
    if (begin + kChunks * kChunk < size) {
      SLIPWAY_RETURN_IF_ERROR(download_chunk(i + kChunks, size, stream));
    }
  }
  return {};
}

}  // namespace slipway::cuda
