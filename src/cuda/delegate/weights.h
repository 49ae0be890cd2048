// The constants of an engine on its device: all of them there, or some brought in each call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "cuda/delegate/weight_plan.h"
#include "cuda/driver/device.h"
#include "cuda/driver/memory.h"

namespace slipway::cuda {

// For one thread at a time, whose current context is the device's.
class Weights {
 public:
  // The constants outlive it where some are brought: out of where they lie, if the driver takes
  // that as pinned memory, or else out of a pinned copy.
  static Result<Weights> load(const DevicePointer& device, WeightPlan plan,
                              std::span<const std::byte> constants);

  // Whether calls bring any.
  bool are_brought() const { return copier_.has_value(); }

  // Around the steps of a call, in order: begin(), then before each step prepare(). What they queue
  // may be recorded as part of a graph.
  Status begin(const Stream& stream);
  Status prepare(size_t step, const Stream& stream);
  // Of a constant that the step reads which prepare() was called for last.
  Address address_of(uint64_t offset) const;
  // Until nothing is brought: after a call that failed.
  void settle() const;

 private:
  // What copies while the caller's stream computes.
  struct Copier {
    Stream stream;
    Event passed;                // by the caller's stream: what was read before may be written over
    std::vector<Event> arrived;  // of each place
    DeviceBuffer places;
  };

  Weights(const DevicePointer& device, WeightPlan plan)
      : device_(device), plan_(std::move(plan)), resident_(device), copies_(device) {}
  Status copy_resident(std::span<const std::byte> constants);
  Status pin(std::span<const std::byte> constants);
  // Once the caller's stream is through with what is queued there now.
  Status copy(size_t load, const Stream& stream);

  DevicePointer device_;
  WeightPlan plan_;
  DeviceBuffer resident_;
  std::optional<PinnedRange> pinned_;      // the constants where they lie
  PinnedBuffer copies_;                    // of those that are brought, where that can't be
  std::vector<const std::byte*> sources_;  // of each range that is brought
  std::optional<Copier> copier_;
  size_t loads_ = 0;  // that steps up to the current one read
};

}  // namespace slipway::cuda
