// How long runs took, for `slipway run --repeat` and the like.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace slipway::cli {

struct TimedRuns {
  double load = 0;             // milliseconds, until the method was prepared
  double first = 0;            // the first run, which lays out and loads what the others find
  std::vector<double> others;  // milliseconds each, of all instances; at least one
  double seconds = 0;          // from the first of them to the end of the last
  size_t instances = 1;
  std::string engine;  // what it runs with; may be empty
};

// Lines with a table.
std::string timing_text(const TimedRuns& runs);
// The same numbers.
nlohmann::ordered_json timing_json(const TimedRuns& runs);

}  // namespace slipway::cli
