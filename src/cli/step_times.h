// How long the steps of a compile take.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace slipway::cli {

class StepTimes {
 public:
  // Ends the step before, if any, and begins the next one. A step that comes again goes on.
  void step(const std::string& name);
  // Ends the last step. A row for each step, in the order in which they first came.
  std::string table();

 private:
  using Clock = std::chrono::steady_clock;
  void end();

  std::vector<std::pair<std::string, Clock::duration>> steps_;
  size_t current_ = 0;
  Clock::time_point started_;
};

}  // namespace slipway::cli
