// The memory of a tensor that a call gives: as it is where the device works in it, and else with
// a copy on the device. So has memory of the device that is not aligned as engines want it, such as
// a part of another tensor.
#pragma once

#include <cstddef>
#include <string>

#include "cuda/driver/memory.h"

namespace slipway::cuda {

// Kept for the next call, with its memory. For one thread at a time, whose current context is the
// device's.
class CallMemory {
 public:
  // Addresses of devices' memory that is given out are multiples of this.
  static constexpr size_t kAlignment = 256;

  explicit CallMemory(const DevicePointer& device) : device_(device), staging_(device) {}

  struct Use {
    bool may_be_in_place = true;  // in memory of the host that the device works in
    bool needs_copy = true;       // false: the work does not look at address()
    bool is_apart = false;        // the work may not write there before it has ended
  };
  // Of `bytes` bytes at `data`. Where there are none, address() is `otherwise`. kInvalidArgument
  // for the memory of another device; `label` says whose.
  Status bind(const std::string& label, void* data, size_t bytes, Address otherwise, Use use);

  Address address() const { return address_; }
  size_t bytes() const { return bytes_; }
  // Whether the device does not work in it.
  bool is_copied() const { return data_ != nullptr; }
  // Whether that is memory of the device.
  bool is_copied_there() const { return is_copied() && kind_ == Place::Kind::kDevice; }
  // Queues what has to be copied there before the work, and back behind it, from `from`.
  Status upload(const Stream& stream);
  Status download(Address from, const Stream& stream);
  // Once the stream is through.
  Status finish(const Stream& stream);

 private:
  Status copy(Address to, Address from, const Stream& stream) const;

  DevicePointer device_;
  Staging staging_;
  void* data_ = nullptr;  // to copy from or to; null where nothing is copied
  Place::Kind kind_ = Place::Kind::kHost;
  Address address_ = 0;
  size_t bytes_ = 0;
};

}  // namespace slipway::cuda
