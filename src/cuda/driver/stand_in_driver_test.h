// What tests tell and ask the stand-in for NVIDIA's driver (tests/cuda/stand_in_driver.cc), or,
// where the environment variable SLIPWAY_TEST_GPU is set, the driver itself, which is watched
// (tests/cuda/watched_driver.cc).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <dlfcn.h>
#include <string>

namespace slipway::cuda {

struct StandInDriver {
  // Whether devices are GPUs, whose memory the host does not read.
  std::atomic<bool> is_real{false};

  // What it is told.
  std::atomic<int> init_error{0};
  std::atomic<int> devices{2};
  std::atomic<int> capability{86};              // of all
  std::atomic<int> processors{4};               // likewise; not on a GPU
  std::atomic<size_t> memory{size_t{1} << 30};  // SIZE_MAX: as much as there is
  std::atomic<bool> is_integrated{false};       // likewise; not on a GPU
  std::atomic<bool> has_host_pages{false};      // likewise
  std::atomic<bool> pins_memory{true};          // that is somebody else's; not on a GPU
  std::atomic<int> work_error{0};               // of the next wait for a stream
  std::atomic<int> captured{0};                 // whether streams are being captured by somebody
  std::atomic<int> graph_errors{0};             // so many graphs can't be made
  std::atomic<int> module_error{0};             // of modules; not on a GPU
  std::atomic<int> library_error{0};            // of what libraries find; not on a GPU
  std::atomic<size_t> cudnn_version{91900};     // of cuDNN and its plans; not on a GPU
  std::atomic<int> unsupported_engines{0};      // of cuDNN, the first ones; not on a GPU

  // What it counts.
  std::atomic<size_t> used{0};  // bytes of device memory
  std::atomic<int> allocations{0};
  std::atomic<int> host_allocations{0};
  std::atomic<int> live_host_allocations{0};
  std::atomic<int> copies_to_device{0};
  std::atomic<int> copies_to_host{0};
  std::atomic<int> waits{0};
  std::atomic<int> graphs{0};  // that were made
  std::atomic<int> graph_launches{0};
  std::atomic<int> live_graphs{0};
  std::atomic<int> launches{0};  // of kernels
  std::atomic<int> overlapping_launches{0};
  std::atomic<int> live_modules{0};
  std::atomic<int> live_contexts{0};
  std::atomic<int> live_streams{0};
  std::atomic<int> live_events{0};
  std::atomic<int> live_libraries{0};    // handles of cuBLASLt and cuDNN
  std::atomic<int> library_products{0};  // that cuBLASLt multiplied; not on a GPU
  std::atomic<int> last_algorithm{0};    // of these, by its rank
  std::atomic<int> live_descriptors{0};  // of cuDNN, as are these; not on a GPU
  std::atomic<int> plans_made{0};        // from graphs
  std::atomic<int> plans_restored{0};    // from texts
  std::atomic<int> library_graphs{0};    // that were run
  std::atomic<int> last_engine{0};       // of these, by its rank
};

// The file of the one that is in use; `folder` has both.
inline std::string driver_file(const std::string& folder) {
  const bool on_gpu = std::getenv("SLIPWAY_TEST_GPU") != nullptr;
  return folder + (on_gpu ? "/libcuda_watched_driver.so" : "/libcuda_stand_in_driver.so");
}

// CublasLt::open() opens a stand-in for it, which is in the same file, from now on.
inline void use_stand_in_cublaslt(const std::string& folder) {
  ::setenv("SLIPWAY_CUBLASLT", driver_file(folder).c_str(), 1);
}

// Likewise Cudnn::open().
inline void use_stand_in_cudnn(const std::string& folder) {
  ::setenv("SLIPWAY_CUDNN", driver_file(folder).c_str(), 1);
}

// The one in this process.
inline StandInDriver& stand_in_driver(const std::string& folder) {
  void* const library = ::dlopen(driver_file(folder).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) std::abort();
  auto* const get =
      reinterpret_cast<StandInDriver* (*)()>(::dlsym(library, "slipway_stand_in_driver"));
  return *get();
}

// Driver::open() opens it from now on.
inline StandInDriver& use_stand_in_driver(const std::string& folder) {
  ::setenv("SLIPWAY_CUDA_DRIVER", driver_file(folder).c_str(), 1);
  return stand_in_driver(folder);
}

}  // namespace slipway::cuda
