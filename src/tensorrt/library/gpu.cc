#include "tensorrt/library/gpu.h"

#include <algorithm>
#include <array>
#include <dlfcn.h>
#include <iterator>

#include "base/error.h"

namespace slipway::tensorrt {

namespace {

// CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR of CUDA's driver interface.
constexpr int kMajorAttribute = 75;
constexpr int kMinorAttribute = 76;

constexpr int kRtxCapabilities[] = {75, 80, 86, 89, 120, 121};

template <class Function>
Function symbol(void* library, const char* name) {
  return reinterpret_cast<Function>(::dlsym(library, name));
}

}  // namespace

std::string capability_text(int capability) {
  return fmt::format("{}.{}", capability / 10, capability % 10);
}

std::string rtx_targets() {
  std::string text;
  for (const int capability : kRtxCapabilities) {
    text += fmt::format("{}sm_{}", text.empty() ? "" : ", ", capability);
  }
  return text;
}

Result<std::vector<Gpu>> find_gpus() {
  void* driver = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (driver == nullptr) return unavailable("NVIDIA's driver is not here (libcuda.so.1)");
  const auto init = symbol<int (*)(unsigned)>(driver, "cuInit");
  const auto get_count = symbol<int (*)(int*)>(driver, "cuDeviceGetCount");
  const auto get_device = symbol<int (*)(int*, int)>(driver, "cuDeviceGet");
  const auto get_name = symbol<int (*)(char*, int, int)>(driver, "cuDeviceGetName");
  const auto get_attribute = symbol<int (*)(int*, int, int)>(driver, "cuDeviceGetAttribute");
  if (!init || !get_count || !get_device || !get_name || !get_attribute) {
    return unavailable("libcuda.so.1 is not NVIDIA's driver");
  }
  if (const int code = init(0); code != 0) {
    return unavailable("NVIDIA's driver finds no GPU (CUDA error {})", code);
  }
  int count = 0;
  if (get_count(&count) != 0) return unavailable("NVIDIA's driver does not count its GPUs");
  std::vector<Gpu> gpus;
  for (int i = 0; i < count; ++i) {
    int device = 0;
    std::array<char, 256> name = {};
    int major = 0;
    int minor = 0;
    if (get_device(&device, i) != 0 ||
        get_name(name.data(), static_cast<int>(name.size()) - 1, device) != 0 ||
        get_attribute(&major, kMajorAttribute, device) != 0 ||
        get_attribute(&minor, kMinorAttribute, device) != 0) {
      return unavailable("NVIDIA's driver does not describe GPU {}", i);
    }
    gpus.push_back({name.data(), major * 10 + minor});
  }
  return gpus;
}

std::string own_target() {
  const auto gpus = find_gpus();
  if (!gpus.ok() || gpus->empty()) return "";
  return fmt::format("sm_{}", gpus->front().capability);
}

bool runs_on(Family family, int capability) {
  if (family != Family::kRtx) return true;
  return std::find(std::begin(kRtxCapabilities), std::end(kRtxCapabilities), capability) !=
         std::end(kRtxCapabilities);
}

}  // namespace slipway::tensorrt
