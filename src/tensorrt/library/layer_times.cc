#include "tensorrt/library/layer_times.h"

#include "tensorrt/library/abi.h"

namespace slipway::tensorrt {
namespace {

template <class Interface>
class Profiler : public Interface {
 public:
  explicit Profiler(LayerTimes& times) : times_(times) {}
  void reportLayerTime(const char* layer, float milliseconds) noexcept override {
    times_.add(layer, milliseconds);
  }

 private:
  LayerTimes& times_;
};

}  // namespace

struct LayerTimes::Interfaces {
  explicit Interfaces(LayerTimes& times) : plain(times), versioned(times) {}
  Profiler<PlainProfilerInterface> plain;
  Profiler<ProfilerInterface> versioned;
};

LayerTimes::LayerTimes() : interfaces_(std::make_unique<Interfaces>(*this)) {}

LayerTimes::~LayerTimes() = default;

void* LayerTimes::interface(Version version) {
  if (version.family == Family::kT10) return &interfaces_->plain;
  return &interfaces_->versioned;
}

void LayerTimes::add(const char* name, float milliseconds) noexcept {
  constexpr float kMost = 1e9F;  // no NaN either, so that it is a number of nanoseconds
  const double time = milliseconds > 0 && milliseconds < kMost ? milliseconds : 0;
  try {
    layers_.push_back(
        {name == nullptr ? "" : name, std::chrono::round<std::chrono::nanoseconds>(
                                          std::chrono::duration<double, std::milli>(time))});
  } catch (...) {  // Without memory for the layer it is not told.
  }
}

}  // namespace slipway::tensorrt
