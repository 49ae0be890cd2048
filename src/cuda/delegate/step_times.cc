#include "cuda/delegate/step_times.h"

#include "base/try.h"

namespace slipway::cuda {

Status StepTimes::mark(const Stream& stream) {
  if (used_ == events_.size()) {
    SLIPWAY_ASSIGN_OR_RETURN(Event event, Event::create_timed(device_));
    events_.push_back(std::move(event));
  }
  return events_[used_++].record(stream);
}

Result<std::vector<std::chrono::nanoseconds>> StepTimes::durations() const {
  std::vector<std::chrono::nanoseconds> durations;
  for (size_t i = 1; i < used_; ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(durations.emplace_back(), events_[i].since(events_[i - 1]));
  }
  return durations;
}

}  // namespace slipway::cuda
