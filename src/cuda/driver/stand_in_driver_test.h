// What tests tell and ask the stand-in for NVIDIA's driver (tests/cuda/stand_in_driver.cc).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <dlfcn.h>

namespace slipway::cuda {

struct StandInDriver {
  // What it is told.
  std::atomic<int> init_error{0};
  std::atomic<int> devices{2};
  std::atomic<int> capability{86};  // of all
  std::atomic<size_t> memory{size_t{1} << 30};
  std::atomic<int> work_error{0};  // of the next wait for a stream

  // What it counts.
  std::atomic<size_t> used{0};  // bytes of device memory
  std::atomic<int> allocations{0};
  std::atomic<int> host_allocations{0};
  std::atomic<int> live_host_allocations{0};
  std::atomic<int> copies_to_device{0};
  std::atomic<int> copies_to_host{0};
  std::atomic<int> waits{0};
  std::atomic<int> live_contexts{0};
  std::atomic<int> live_streams{0};
  std::atomic<int> live_events{0};
};

// The one in this process, which Driver::open() opens from now on.
inline StandInDriver& use_stand_in_driver(const char* file) {
  ::setenv("SLIPWAY_CUDA_DRIVER", file, 1);
  void* const library = ::dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) std::abort();
  auto* const get =
      reinterpret_cast<StandInDriver* (*)()>(::dlsym(library, "slipway_stand_in_driver"));
  return *get();
}

}  // namespace slipway::cuda
