#include "cuda/delegate/weights.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/try.h"

namespace slipway::cuda {

Result<Weights> Weights::load(const DevicePointer& device, WeightPlan plan,
                              std::span<const std::byte> constants) {
  Weights weights(device, std::move(plan));
  SLIPWAY_RETURN_IF_ERROR(weights.copy_resident(constants));
  if (weights.plan_.loads.empty()) return weights;
  SLIPWAY_RETURN_IF_ERROR(weights.pin(constants));
  SLIPWAY_ASSIGN_OR_RETURN(Stream stream, Stream::create(device));
  SLIPWAY_ASSIGN_OR_RETURN(Event passed, Event::create(device));
  weights.copier_.emplace(Copier{std::move(stream), std::move(passed), {}, DeviceBuffer(device)});
  for (int place = 0; place < 2; ++place) {
    SLIPWAY_ASSIGN_OR_RETURN(Event arrived, Event::create(device));
    weights.copier_->arrived.push_back(std::move(arrived));
  }
  SLIPWAY_RETURN_IF_ERROR(weights.copier_->places.reserve(2 * weights.plan_.place_bytes));
  return weights;
}

Status Weights::copy_resident(std::span<const std::byte> constants) {
  if (plan_.resident_bytes == 0) return {};
  SLIPWAY_ASSIGN_OR_RETURN(const Stream stream, Stream::create(device_));
  Staging staging(device_);
  SLIPWAY_RETURN_IF_ERROR(staging.reserve(plan_.resident_bytes));
  for (const WeightPlan::Range& range : plan_.ranges) {
    if (!range.offset) continue;
    const Status queued =
        staging.upload(constants.data() + range.begin, range.size, stream, *range.offset);
    // What was queued reads memory that the next one is put into, or that goes with `staging`.
    const Status done = stream.wait();
    SLIPWAY_RETURN_IF_ERROR(queued.ok() ? done : queued);
  }
  resident_ = staging.take();
  return {};
}

Status Weights::pin(std::span<const std::byte> constants) {
  pinned_ = PinnedRange::of(device_, constants);
  size_t size = 0;
  for (const WeightPlan::Range& range : plan_.ranges) {
    if (!range.offset) size += range.size;
  }
  if (!pinned_) SLIPWAY_RETURN_IF_ERROR(copies_.reserve(size));
  auto* copy = static_cast<std::byte*>(copies_.data());
  for (const WeightPlan::Range& range : plan_.ranges) {
    const auto bytes =
        range.offset ? std::span<const std::byte>() : constants.subspan(range.begin, range.size);
    sources_.push_back(pinned_ ? bytes.data() : copy);
    if (!pinned_) copy = std::copy(bytes.begin(), bytes.end(), copy);
  }
  return {};
}

Status Weights::begin(const Stream& stream) {
  loads_ = 0;
  return copier_ ? copy(0, stream) : Status();
}

Status Weights::prepare(size_t step, const Stream& stream) {
  if (loads_ == plan_.loads.size() || plan_.loads[loads_].first_step != step) return {};
  ++loads_;
  // The one after it goes where the one before it was.
  if (loads_ < plan_.loads.size()) SLIPWAY_RETURN_IF_ERROR(copy(loads_, stream));
  return stream.wait_for(copier_->arrived[(loads_ - 1) % 2]);
}

Status Weights::copy(size_t load, const Stream& stream) {
  SLIPWAY_RETURN_IF_ERROR(copier_->passed.record(stream));
  SLIPWAY_RETURN_IF_ERROR(copier_->stream.wait_for(copier_->passed));
  for (const WeightPlan::Part& part : plan_.loads[load].parts) {
    const WeightPlan::Range& range = plan_.ranges[part.range];
    const Address to = copier_->places.address() + load % 2 * plan_.place_bytes + part.offset;
    SLIPWAY_RETURN_IF_ERROR(
        copy_pinned(*device_, to, sources_[part.range], range.size, copier_->stream));
  }
  return copier_->arrived[load % 2].record(copier_->stream);
}

Address Weights::address_of(uint64_t offset) const {
  const WeightPlan::Range& range = plan_.range_of(offset);
  if (range.offset) return resident_.address() + *range.offset + (offset - range.begin);
  const size_t load = loads_ - 1;
  for (const WeightPlan::Part& part : plan_.loads[load].parts) {
    if (&plan_.ranges[part.range] != &range) continue;
    return copier_->places.address() + load % 2 * plan_.place_bytes + part.offset +
           (offset - range.begin);
  }
  return 0;
}

void Weights::settle() const {
  if (copier_) (void)copier_->stream.wait();
}

}  // namespace slipway::cuda
