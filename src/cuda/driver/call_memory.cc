#include "cuda/driver/call_memory.h"

#include <cstdint>

#include "base/error.h"
#include "base/try.h"

namespace slipway::cuda {

Status CallMemory::bind(const std::string& label, void* data, size_t bytes, Address otherwise,
                        Use use) {
  data_ = nullptr;
  bytes_ = bytes;
  address_ = otherwise;
  if (data == nullptr || bytes == 0) return {};
  SLIPWAY_ASSIGN_OR_RETURN(const Place place, find_place(device_->driver(), data));
  const DeviceInfo& info = device_->info();
  if (place.kind == Place::Kind::kDevice) {
    if (place.device != info.index) {
      return invalid_argument("{} is on cuda:{}, and the engine on cuda:{}", label, place.device,
                              info.index);
    }
  }
  kind_ = place.kind;
  const bool is_aligned = reinterpret_cast<uintptr_t>(data) % kAlignment == 0;
  if (kind_ == Place::Kind::kDevice && is_aligned && !use.is_apart) {
    address_ = reinterpret_cast<Address>(data);
    return {};
  }
  // A discrete GPU would fetch each line over the bus, when it is read.
  const bool is_read_in_place = kind_ != Place::Kind::kDevice && is_aligned && info.is_integrated &&
                                (info.has_host_pages || place.has_one_address);
  if (is_read_in_place && use.may_be_in_place && !use.is_apart) {
    address_ = reinterpret_cast<Address>(data);
    return {};
  }
  if (!use.needs_copy) {
    data_ = data;
    return {};
  }
  SLIPWAY_RETURN_IF_ERROR(staging_.reserve(bytes));
  data_ = data;
  address_ = staging_.address();
  return {};
}

Status CallMemory::copy(Address to, Address from, const Stream& stream) const {
  return device_->driver().check(
      device_->driver().call().copy_on_device(to, from, bytes_, stream.handle()),
      "a tensor is not copied on its device");
}

Status CallMemory::upload(const Stream& stream) {
  if (data_ == nullptr) return {};
  switch (kind_) {
    case Place::Kind::kDevice:
      return copy(address_, reinterpret_cast<Address>(data_), stream);
    case Place::Kind::kPinned:
      return staging_.upload_pinned(data_, bytes_, stream);
    case Place::Kind::kHost:
      break;
  }
  return staging_.upload(data_, bytes_, stream);
}

Status CallMemory::download(Address from, const Stream& stream) {
  if (data_ == nullptr) return {};
  switch (kind_) {
    case Place::Kind::kDevice:
      return copy(reinterpret_cast<Address>(data_), from, stream);
    case Place::Kind::kPinned:
      return staging_.download_pinned(data_, from, bytes_, stream);
    case Place::Kind::kHost:
      break;
  }
  return staging_.download(from, bytes_, stream);
}

Status CallMemory::finish(const Stream& stream) {
  if (data_ == nullptr || kind_ != Place::Kind::kHost) return {};
  return staging_.finish_download(data_, bytes_, stream);
}

}  // namespace slipway::cuda
