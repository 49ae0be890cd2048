// What the stand-in for TensorRT's runtime does with the driver: memory, and kernels on a GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <dlfcn.h>

namespace slipway::tensorrt {

// The functions of the driver, whichever it is; null for one that the stand-in for it lacks.
template <class Function>
Function driver(const char* name) {
  static void* const library = ::dlopen(std::getenv("SLIPWAY_CUDA_DRIVER"), RTLD_NOW | RTLD_LOCAL);
  return reinterpret_cast<Function>(::dlsym(library, name));
}

uint64_t allocate(size_t size, bool* ok);
void release(uint64_t address);
bool is_on_device(const void* address);
// Whether kernels read it: on an integrated GPU memory of the host, too.
bool is_readable(const void* address);

// The kernels in the current context; none with the stand-in for the driver.
class Kernels {
 public:
  Kernels() = default;
  Kernels(const Kernels&) = delete;
  Kernels& operator=(const Kernels&) = delete;
  ~Kernels();

  bool load();
  explicit operator bool() const { return module_ != nullptr; }
  // Queues to[i] = a * from[i] + b for i < count.
  bool launch(bool is_float, const void* from, void* to, size_t count, double a, double b,
              void* stream) const;

 private:
  void* module_ = nullptr;
  void* float32_ = nullptr;
  void* int64_ = nullptr;
};

}  // namespace slipway::tensorrt
