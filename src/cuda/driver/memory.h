// Memory of a GPU and memory that it copies from and to, kept for the next use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "cuda/driver/device.h"

namespace slipway::cuda {

// Where a pointer leads.
struct Place {
  enum class Kind : uint8_t {
    kHost,    // memory that the driver does not know
    kPinned,  // of the host, known to the driver
    kDevice,  // of a device, or managed
  };
  Kind kind = Kind::kHost;
  int device = 0;  // its index, where it is a device's
  // Whether devices know the memory by the same address.
  bool has_one_address = false;
};
Result<Place> find_place(const Driver& driver, const void* data);

// Memory of a device that grows and is kept. For one thread at a time.
class DeviceBuffer {
 public:
  explicit DeviceBuffer(DevicePointer device) : device_(std::move(device)) {}
  DeviceBuffer(DeviceBuffer&& other) noexcept
      : device_(std::move(other.device_)),
        address_(std::exchange(other.address_, 0)),
        size_(std::exchange(other.size_, 0)) {}
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(address_, other.address_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~DeviceBuffer();

  // At least so many bytes; what is in it may be lost. Nothing that uses it may be at work.
  // kResourceExhausted says how much the device has.
  Status reserve(size_t size);
  Address address() const { return address_; }
  size_t size() const { return size_; }

 private:
  void release();
  DevicePointer device_;
  Address address_ = 0;
  size_t size_ = 0;
};

// The same of the host, which the device reads and writes without a copy by the driver.
class PinnedBuffer {
 public:
  explicit PinnedBuffer(DevicePointer device) : device_(std::move(device)) {}
  PinnedBuffer(PinnedBuffer&& other) noexcept
      : device_(std::move(other.device_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  PinnedBuffer& operator=(PinnedBuffer&&) = delete;
  ~PinnedBuffer();

  Status reserve(size_t size);
  void* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  void release();
  DevicePointer device_;
  void* data_ = nullptr;
  size_t size_ = 0;
};

// Memory of the host that is somebody else's, pinned while this lives.
class PinnedRange {
 public:
  // Nothing where the driver does not pin it. It is only read.
  static std::optional<PinnedRange> of(DevicePointer device, std::span<const std::byte> bytes);
  PinnedRange(PinnedRange&& other) noexcept
      : device_(std::move(other.device_)), data_(std::exchange(other.data_, nullptr)) {}
  PinnedRange& operator=(PinnedRange&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~PinnedRange();

 private:
  PinnedRange(DevicePointer device, void* data) : device_(std::move(device)), data_(data) {}
  DevicePointer device_;
  void* data_;
};

// Queues a copy of pinned memory, which stays as it is until the stream is through.
Status copy_pinned(const Device& device, Address to, const void* from, size_t size,
                   const Stream& stream);

// Brings a tensor of the host to the device or back through pinned memory, which is small, as a
// large tensor is copied in chunks, by several threads; both memories stay for the next time. For
// one thread at a time, whose current context is the device's.
class Staging {
 public:
  static constexpr size_t kChunk = size_t{1} << 20;
  static constexpr size_t kLanes = 12;                    // threads, at most
  static constexpr size_t kPinned = 2 * kLanes * kChunk;  // at most so much is pinned

  explicit Staging(DevicePointer device) : device_(device), on_device_(device), pinned_(device) {}

  // Memory for so many bytes, which address() is then. Not while a copy is queued.
  Status reserve(size_t size);
  Address address() const { return on_device_.address(); }
  // The memory of the device, which is no longer this one's. While no copy is queued.
  DeviceBuffer take() { return std::move(on_device_); }
  // Queues the copy to the device, `offset` bytes behind address(); `data` may be changed once this
  // returns.
  Status upload(const void* data, size_t size, const Stream& stream, size_t offset = 0);
  // The same from pinned memory, which stays as it is until the stream is through.
  Status upload_pinned(const void* data, size_t size, const Stream& stream);
  // Queues the copy to the host from `from`; once the stream is through, finish_download() gives
  // it, over the same stream where it is large.
  Status download(Address from, size_t size, const Stream& stream);
  Status finish_download(void* data, size_t size, const Stream& stream);
  // To pinned memory, which has it once the stream is through.
  Status download_pinned(void* data, Address from, size_t size, const Stream& stream) const;

 private:
  using Next = std::function<size_t()>;  // the chunk that nobody has taken

  static bool is_large(size_t size) { return size > kChunk; }
  // How many threads copy so many bytes.
  static size_t lanes_of(size_t size);
  // The pinned memory and events of `size` bytes.
  Status prepare(size_t size);
  // Of two of a lane's, in turn.
  std::byte* chunk(size_t lane, size_t i) const {
    return static_cast<std::byte*>(pinned_.data()) + (2 * lane + i % 2) * kChunk;
  }
  const Event& through(size_t lane, size_t i) const { return through_[2 * lane + i % 2]; }
  // Copies all of a large tensor, each lane the chunks that it takes.
  Status in_lanes(size_t size, const Stream& stream,
                  const std::function<Status(size_t lane, const Next& next)>& copy) const;
  Status upload_chunks(const std::byte* data, size_t size, size_t lane, const Next& next,
                       const Stream& stream, size_t offset) const;
  Status download_chunks(std::byte* data, size_t size, size_t lane, const Next& next,
                         const Stream& stream) const;

  DevicePointer device_;
  DeviceBuffer on_device_;
  PinnedBuffer pinned_;
  std::vector<Event> through_;  // of each chunk's latest copy
  Address from_ = 0;            // of the download
};

}  // namespace slipway::cuda
