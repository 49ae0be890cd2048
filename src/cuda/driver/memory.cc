#include "cuda/driver/memory.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "base/try.h"
#include "cuda/driver/lanes.h"

namespace slipway::cuda {
namespace {

constexpr uintptr_t kStreamPerThread = 2;  // CUDA's handle

// CUDA's numbers.
constexpr int kMemoryType = 2;
constexpr int kDevicePointer = 3;
constexpr int kIsManaged = 8;
constexpr int kDeviceOrdinal = 9;
constexpr unsigned kTypeHost = 1;
constexpr unsigned kHostPortable = 1;
constexpr unsigned kHostReadOnly = 8;

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
  Address on_device = 0;
  std::array<int, 4> attributes = {kMemoryType, kIsManaged, kDeviceOrdinal, kDevicePointer};
  std::array<void*, 4> values = {&type, &managed, &device, &on_device};
  SLIPWAY_RETURN_IF_ERROR(
      driver.check(driver.call().pointer_attributes(attributes.size(), attributes.data(),
                                                    values.data(), reinterpret_cast<Address>(data)),
                   "an address can't be looked up"));
  const bool has_one_address = on_device == reinterpret_cast<Address>(data);
  if (type == 0) return Place{};
  if (type == kTypeHost && managed == 0) return Place{Place::Kind::kPinned, 0, has_one_address};
  return Place{Place::Kind::kDevice, device, has_one_address};
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

std::optional<PinnedRange> PinnedRange::of(DevicePointer device, std::span<const std::byte> bytes) {
  auto* const data = const_cast<std::byte*>(bytes.data());
  const int code =
      device->driver().call().register_host(data, bytes.size(), kHostPortable | kHostReadOnly);
  if (code != 0) return std::nullopt;
  return PinnedRange(std::move(device), data);
}

PinnedRange::~PinnedRange() {
  if (data_ == nullptr) return;
  if (const auto current = device_->make_current(); current.ok()) {
    device_->driver().call().unregister_host(data_);
  }
}

Status copy_pinned(const Device& device, Address to, const void* from, size_t size,
                   const Stream& stream) {
  const Driver& driver = device.driver();
  return driver.check(driver.call().copy_to_device(to, from, size, stream.handle()), [&] {
    return fmt::format("{} bytes don't get to {}", size, describe(device.info()));
  });
}

Status Staging::reserve(size_t size) { return on_device_.reserve(size); }

// Two chunks for each, as to wake a thread takes its time; docs/benchmarks.md has the figures.
size_t Staging::lanes_of(size_t size) {
  constexpr size_t kFew = 4;
  const size_t chunks = (size + kChunk - 1) / kChunk;
  const size_t wanted = std::min(chunks, std::max(chunks / 2, kFew));
  return std::clamp<size_t>(std::min<size_t>(std::thread::hardware_concurrency(), wanted), 1,
                            kLanes);
}

Status Staging::prepare(size_t size) {
  const size_t chunks = 2 * lanes_of(size);
  SLIPWAY_RETURN_IF_ERROR(pinned_.reserve(is_large(size) ? chunks * kChunk : size));
  while (is_large(size) && through_.size() < chunks) {
    SLIPWAY_ASSIGN_OR_RETURN(Event event, Event::create(device_));
    through_.push_back(std::move(event));
  }
  return {};
}

// One thread's copies are a fifth of what the bus takes.
Status Staging::in_lanes(size_t size, const Stream& stream,
                         const std::function<Status(size_t, const Next&)>& copy) const {
  // Which is another stream in each thread.
  const bool is_of_thread = reinterpret_cast<uintptr_t>(stream.handle()) == kStreamPerThread;
  // How many there may be follows the processors that the process may use, which may change: no
  // more than prepare() made room for.
  const size_t room = std::min(through_.size(), pinned_.size() / kChunk) / 2;
  const size_t count = is_of_thread ? 1 : std::min(lanes_of(size), room);
  std::atomic<size_t> taken{0};
  const Next next = [&] { return taken++; };
  std::vector<Status> results(count);
  Lanes::get().run(count, [&](size_t lane) {
    results[lane] = guarded("a tensor's copy", [&]() -> Status {
      SLIPWAY_ASSIGN_OR_RETURN(const auto current, device_->make_current());
      return copy(lane, next);
    });
  });
  for (Status& result : results) SLIPWAY_RETURN_IF_ERROR(std::move(result));
  return {};
}

Status Staging::upload(const void* data, size_t size, const Stream& stream, size_t offset) {
  if (size == 0) return {};
  SLIPWAY_RETURN_IF_ERROR(prepare(size));
  if (is_large(size)) {
    return in_lanes(size, stream, [&](size_t lane, const Next& next) {
      return upload_chunks(static_cast<const std::byte*>(data), size, lane, next, stream, offset);
    });
  }
  std::memcpy(pinned_.data(), data, size);
  return copy_pinned(*device_, address() + offset, pinned_.data(), size, stream);
}

// A chunk is copied by the processor while the one before it is on its way.
Status Staging::upload_chunks(const std::byte* data, size_t size, size_t lane, const Next& next,
                              const Stream& stream, size_t offset) const {
  for (size_t i = 0;; ++i) {
    const size_t begin = next() * kChunk;
    if (begin >= size) return {};
    const size_t bytes = std::min(kChunk, size - begin);
    if (i >= 2) SLIPWAY_RETURN_IF_ERROR(through(lane, i).wait());
    std::memcpy(chunk(lane, i), data + begin, bytes);
    SLIPWAY_RETURN_IF_ERROR(
        copy_pinned(*device_, address() + offset + begin, chunk(lane, i), bytes, stream));
    SLIPWAY_RETURN_IF_ERROR(through(lane, i).record(stream));
  }
}

Status Staging::upload_pinned(const void* data, size_t size, const Stream& stream) {
  return copy_pinned(*device_, address(), data, size, stream);
}

Status Staging::download(Address from, size_t size, const Stream& stream) {
  if (size == 0) return {};
  SLIPWAY_RETURN_IF_ERROR(prepare(size));
  from_ = from;
  return is_large(size) ? Status() : download_pinned(pinned_.data(), from, size, stream);
}

Status Staging::finish_download(void* data, size_t size, const Stream& stream) {
  if (is_large(size)) {
    return in_lanes(size, stream, [&](size_t lane, const Next& next) {
      return download_chunks(static_cast<std::byte*>(data), size, lane, next, stream);
    });
  }
  if (size > 0) std::memcpy(data, pinned_.data(), size);
  return {};
}

// A chunk is on its way while the processor copies the one before it.
Status Staging::download_chunks(std::byte* data, size_t size, size_t lane, const Next& next,
                                const Stream& stream) const {
  const auto size_at = [&](size_t begin) { return std::min(kChunk, size - begin); };
  // Where the chunk begins that is on its way then.
  const auto queue = [&](size_t i) -> Result<size_t> {
    const size_t begin = next() * kChunk;
    if (begin >= size) return begin;
    SLIPWAY_RETURN_IF_ERROR(download_pinned(chunk(lane, i), from_ + begin, size_at(begin), stream));
    SLIPWAY_RETURN_IF_ERROR(through(lane, i).record(stream));
    return begin;
  };
  SLIPWAY_ASSIGN_OR_RETURN(size_t begin, queue(0));
  for (size_t i = 0; begin < size; ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(const size_t after, queue(i + 1));
    SLIPWAY_RETURN_IF_ERROR(through(lane, i).wait());
    std::memcpy(data + begin, chunk(lane, i), size_at(begin));
    begin = after;
  }
  return {};
}

Status Staging::download_pinned(void* data, Address from, size_t size, const Stream& stream) const {
  const Driver& driver = device_->driver();
  return driver.check(driver.call().copy_to_host(data, from, size, stream.handle()), [&] {
    return fmt::format("{} bytes don't come from {}", size, describe(device_->info()));
  });
}

}  // namespace slipway::cuda
