#include "cli/step_times.h"

#include <algorithm>

#include <fmt/core.h>

#include "cli/text.h"

namespace slipway::cli {

void StepTimes::end() {
  const Clock::time_point now = Clock::now();
  if (current_ < steps_.size()) steps_[current_].second += now - started_;
  started_ = now;
}

void StepTimes::step(const std::string& name) {
  end();
  const auto found = std::find_if(steps_.begin(), steps_.end(),
                                  [&](const auto& known) { return known.first == name; });
  current_ = static_cast<size_t>(found - steps_.begin());
  if (found == steps_.end()) steps_.emplace_back(name, Clock::duration());
}

std::string StepTimes::table() {
  end();
  current_ = steps_.size();
  std::vector<std::vector<std::string>> rows = {{"ms", "step"}};
  for (const auto& [name, taken] : steps_) {
    rows.push_back(
        {fmt::format("{:.1f}", std::chrono::duration<double, std::milli>(taken).count()), name});
  }
  return format_table(rows);
}

}  // namespace slipway::cli
