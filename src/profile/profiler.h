// Gathers the profiles of runs of one method: what each instruction and layer takes of a usual run.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "slipway/profile.h"

namespace slipway::profile {

// Milliseconds here are what a run spent on it, the mean of the middle half of all runs by their
// time: no outlier counts, and the parts of a run add up to it, which medians do not.
struct LayerTime {
  std::string name;
  std::string kind;  // ProfiledLayer
  double milliseconds = 0;
};

struct InstructionTime {
  size_t instruction = 0;
  std::string name;
  std::string origin;
  size_t calls = 0;  // in the last run
  double milliseconds = 0;
  std::vector<LayerTime> layers;  // in the order in which they ran; empty where that is not known
  double rest = 0;                // of a call with layers: what none of them has
};

struct Summary {
  std::string method;
  size_t runs = 0;
  double milliseconds = 0;                    // of a run
  double inputs = 0;                          // until the first call
  double outputs = 0;                         // after the last one
  double between = 0;                         // moves, jumps and what ExecuTorch does for a call
  std::vector<InstructionTime> instructions;  // that were called, in the order of the program
};

// For one thread at a time.
class Profiler {
 public:
  void add(const RunProfile& run);

  // The first run, which lays out and loads what the others find, is left out where there are
  // others.
  Summary summary() const;
  // Those of the same runs that were kept, the last ones: at least one, and not too many calls.
  std::vector<RunProfile> runs() const;

 private:
  struct Instruction {
    std::vector<float> milliseconds;  // one a run
    size_t calls = 0;
    std::vector<ProfiledLayer> layers;            // of its last run
    std::vector<std::vector<float>> layer_times;  // of each
  };
  // Those whose mean is given.
  std::vector<size_t> middle_runs() const;

  size_t count_ = 0;
  std::vector<float> durations_, inputs_, outputs_, between_;
  std::map<size_t, Instruction> instructions_;
  std::vector<RunProfile> kept_;
  size_t kept_calls_ = 0;
};

// docs/profiling.md has it.
nlohmann::ordered_json to_json(const Summary& summary);

}  // namespace slipway::profile
