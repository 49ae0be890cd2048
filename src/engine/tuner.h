// Who engines tell which of their alternatives are the fastest on their device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/description.h"
#include "slipway/tune.h"

namespace slipway::engine {

struct FoundChoices {
  std::string xxh3;   // of the blob that the delegate was given
  Choices choices;    // as Description::choose takes them
  TunedEngine tuned;  // without the method and its number there
};

// The library of a delegate whose engines have choices (engine::Description::choose) has
//   extern "C" void slipway_tune_engines(slipway::engine::Tuner* tuner);
// Engines that the calling thread loads and calls for the first time from then on, until it is null
// again, time their alternatives in that call, and tell what they found.
class Tuner {
 public:
  virtual ~Tuner() = default;
  virtual void progress(size_t done, size_t total) = 0;
  virtual void found(const FoundChoices& choices) = 0;
};

}  // namespace slipway::engine
