// What TensorRT tells of the layers of a run.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tensorrt/library/version.h"

namespace slipway::tensorrt {

// For one thread at a time.
class LayerTimes {
 public:
  struct Layer {
    std::string name;
    std::chrono::nanoseconds duration{0};
  };

  LayerTimes();
  ~LayerTimes();
  LayerTimes(const LayerTimes&) = delete;
  LayerTimes& operator=(const LayerTimes&) = delete;

  // Those that were told since clear(), in order.
  const std::vector<Layer>& layers() const { return layers_; }
  void clear() { layers_.clear(); }

  // Called by TensorRT.
  void add(const char* name, float milliseconds) noexcept;
  // The profiler for a context: an IProfiler of its family.
  void* interface(Version version);

 private:
  struct Interfaces;

  std::vector<Layer> layers_;
  std::unique_ptr<Interfaces> interfaces_;
};

}  // namespace slipway::tensorrt
