// What tests tell and ask the stand-in for TensorRT's runtime (stand_in_runtime.cc), and its plans.
//
// clang-format off
// A plan is text: a line that names the GPU, of 64 bytes, and then a line for each of
//   input NAME TYPE SIZE...         a size is 3, or 1..8 where it is dynamic; TYPE is float32 or int64
//   profile NAME SIZE...           the input's sizes in a further profile
//   shape_input NAME TYPE SIZE...   the same, and TensorRT takes it for a shape
//   output NAME INPUT A B           A * INPUT + B, of the input's type and sizes
//   format NAME NUMBER              how an input or output lies in memory; 0 (linear) without
//   weights BYTES                   memory of the device that the engine takes when it is read
//   streamable BYTES                weights that may stay on the host
//   automatic BYTES                 the budget that it chooses for them
//   context BYTES                   memory of the device that each context works in
//   data BYTES                      the last line: weights that follow it, which are copied to a GPU
// clang-format on
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <dlfcn.h>
#include <string>

namespace slipway::tensorrt {

struct StandInRuntime {
  // What it is told.
  std::atomic<bool> refuses_runtime{false};
  std::atomic<int64_t> largest_budget{INT64_MAX};  // above it, the setter says no
  std::atomic<bool> refuses_run{false};
  std::atomic<bool> refuses_context{false};

  // What it counts.
  std::atomic<int> runtimes{0};
  std::atomic<int> deserialized{0};  // tries
  std::atomic<int> live_engines{0};
  std::atomic<int> live_contexts{0};
  std::atomic<int> budgets_set{0};
  std::atomic<int64_t> budget{-1};  // the last one
  std::atomic<int> profile{-1};     // the last one that was set
  std::atomic<int> runs{0};
  std::atomic<int> profiled_runs{0};       // of these
  std::atomic<int> kernels_compiled{0};    // for contexts of TensorRT-RTX that found none
  std::atomic<uint64_t> first_address{0};  // of the last run's first input
};

// The one in this process, which Library::open() opens from now on as `version`: 101300 is TensorRT
// 10.13.0, 10701 TensorRT-RTX 1.7.1.
inline StandInRuntime& use_stand_in_runtime(const char* file, int version) {
  ::setenv("SLIPWAY_TENSORRT_LIB", file, 1);
  ::setenv("SLIPWAY_STAND_IN_VERSION", std::to_string(version).c_str(), 1);
  void* const library = ::dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) std::abort();
  auto* const get =
      reinterpret_cast<StandInRuntime* (*)()>(::dlsym(library, "slipway_stand_in_runtime"));
  return *get();
}

inline std::string stand_in_plan(const std::string& lines, int capability) {
  std::string plan = "slipway stand-in plan for sm_" + std::to_string(capability);
  plan.resize(63, ' ');
  return plan + "\n" + lines;
}

}  // namespace slipway::tensorrt
