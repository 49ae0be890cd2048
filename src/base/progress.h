// Progress of long steps: a bar on a terminal, plain lines elsewhere.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace slipway {

// Not thread-safe. Nothing is shown for a step that ends within a second.
class Progress {
 public:
  explicit Progress(std::FILE* stream = stderr);
  ~Progress();
  // Ends the step before, if any, and names the next one: "writing model.pte".
  void step(std::string name);
  // The step's share that is done. On a terminal the bar is redrawn at most ten times a second;
  // elsewhere a line is printed at each quarter.
  void update(uint64_t done, uint64_t total);
  void finish();

 private:
  void draw(uint64_t done, uint64_t total);
  std::FILE* stream_;
  bool terminal_;
  std::string name_;
  int64_t started_ns_ = 0;
  int64_t drawn_ns_ = 0;
  int last_quarter_ = 0;
  bool shown_ = false;
};

}  // namespace slipway
