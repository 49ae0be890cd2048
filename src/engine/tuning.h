// The choice among ways to cut a program between engines, by how long calls take.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace slipway::engine {

// A way to cut a program that was tried.
struct Cut {
  std::vector<std::string> engines;  // by priority
  // What is kept from one of them and goes to the next: "engine:conv2d".
  std::vector<std::string> exclude_nodes = {};
  double milliseconds = 0;   // of a call of each method, the median
  std::string failure = {};  // why it was not timed; empty where it was
};

struct Tuning {
  std::string processor;                 // processor_name() there
  std::map<std::string, int64_t> sizes;  // of symbols, in the calls
  std::vector<Cut> cuts;                 // the file's own first, then by time, and what has none
};

}  // namespace slipway::engine
