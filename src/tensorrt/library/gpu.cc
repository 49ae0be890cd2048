#include "tensorrt/library/gpu.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "base/try.h"
#include "cuda/driver/device.h"

namespace slipway::tensorrt {

namespace {

constexpr int kRtxCapabilities[] = {75, 80, 86, 89, 120, 121};

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
  SLIPWAY_ASSIGN_OR_RETURN(const cuda::Driver* driver, cuda::Driver::open());
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<cuda::DeviceInfo> devices,
                           cuda::list_devices(*driver));
  std::vector<Gpu> gpus;
  gpus.reserve(devices.size());
  for (const cuda::DeviceInfo& device : devices) {
    gpus.push_back({fmt::format("cuda:{}", device.index), device.name, device.capability});
  }
  return gpus;
}

Result<std::string> driver_version() {
  SLIPWAY_ASSIGN_OR_RETURN(const cuda::Driver* driver, cuda::Driver::open());
  return driver->version_text();
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
