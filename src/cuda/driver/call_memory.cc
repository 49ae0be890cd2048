#include "cuda/driver/call_memory.h"

#include <cstdint>

#include "base/error.h"
#include "base/try.h"

namespace slipway::cuda {

Status CallMemory::bind(const std::string& label, void* data, size_t bytes, Address otherwise,
                        Use use) {
  host_ = nullptr;
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
    address_ = reinterpret_cast<Address>(data);
    return {};
  }
  is_pinned_ = place.kind == Place::Kind::kPinned;
  // A discrete GPU would fetch each line over the bus, when it is read.
  const bool is_read_in_place = info.is_integrated &&
                                (info.has_host_pages || place.has_one_address) &&
                                reinterpret_cast<uintptr_t>(data) % kAlignment == 0;
  if (is_read_in_place && use.may_be_in_place) {
    address_ = reinterpret_cast<Address>(data);
    return {};
  }
  if (!use.needs_copy) {
    host_ = data;
    return {};
  }
  SLIPWAY_RETURN_IF_ERROR(staging_.reserve(bytes));
  host_ = data;
  address_ = staging_.address();
  return {};
}

Status CallMemory::upload(const Stream& stream) {
  if (host_ == nullptr) return {};
  return is_pinned_ ? staging_.upload_pinned(host_, bytes_, stream)
                    : staging_.upload(host_, bytes_, stream);
}

Status CallMemory::download(Address from, const Stream& stream) {
  if (host_ == nullptr) return {};
  return is_pinned_ ? staging_.download_pinned(host_, from, bytes_, stream)
                    : staging_.download(from, bytes_, stream);
}

Status CallMemory::finish(const Stream& stream) {
  if (host_ == nullptr || is_pinned_) return {};
  return staging_.finish_download(host_, bytes_, stream);
}

}  // namespace slipway::cuda
