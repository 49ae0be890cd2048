// How long each of a run's steps takes on the device.
#pragma once

#include <chrono>
#include <cstddef>
#include <utility>
#include <vector>

#include "cuda/driver/device.h"

namespace slipway::cuda {

// For one thread at a time, whose current context is the device's.
class StepTimes {
 public:
  explicit StepTimes(DevicePointer device) : device_(std::move(device)) {}

  // Before another run.
  void clear() { used_ = 0; }
  // Before the first step and behind each.
  Status mark(const Stream& stream);
  // From each mark to the next, once the stream was waited for.
  Result<std::vector<std::chrono::nanoseconds>> durations() const;

 private:
  DevicePointer device_;
  std::vector<Event> events_;  // kept for later runs
  size_t used_ = 0;            // of them
};

}  // namespace slipway::cuda
