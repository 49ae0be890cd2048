#include "cuda/driver/driver.h"

#include <cstdlib>
#include <dlfcn.h>
#include <memory>

#include "base/error.h"
#include "base/shared_library.h"
#include "base/try.h"

namespace slipway::cuda {
namespace {

constexpr const char* kDriver = "libcuda.so.1";

// CUDA's numbers of errors.
constexpr int kOutOfMemory = 2;
constexpr int kNotInitialized = 3;
constexpr int kStubLibrary = 34;
constexpr int kDeviceUnavailable = 46;
constexpr int kNoDevice = 100;
constexpr int kInvalidDevice = 101;
constexpr int kNotReady = 802;
constexpr int kDriverMismatch = 803;
constexpr int kNoForwardCompatibility = 804;
constexpr int kUnknown = 999;

// What a person can do where the machine is the reason; null elsewhere.
const char* remedy(int code) {
  switch (code) {
    case kStubLibrary:
      return "this is the CUDA toolkit's stub of the driver: take its folder off LD_LIBRARY_PATH";
    case kDeviceUnavailable:
      return "another process has the GPU to itself";
    case kNoDevice:
      return "no GPU is visible: `nvidia-smi` lists what the driver sees, CUDA_VISIBLE_DEVICES may "
             "hide some, and a container must be given them";
    case kInvalidDevice:
      return "`nvidia-smi` lists the GPUs of this machine";
    case kNotInitialized:
    case kNotReady:
      return "the driver is still starting: try again";
    case kDriverMismatch:
      return "the driver's library and its kernel module are of different versions: restart the "
             "machine";
    case kNoForwardCompatibility:
      return "this GPU does not take a newer CUDA than its driver: update the driver, or take the "
             "forward compatibility package off the library path";
    case kUnknown:
      return "the driver's kernel modules may be missing (nvidia_uvm): `nvidia-smi` and the "
             "system's "
             "log say more";
    default:
      return nullptr;
  }
}

}  // namespace

Result<const Driver*> Driver::open() {
  const char* const variable = std::getenv(kDriverVariable);
  return loaded_once<Driver>(variable != nullptr && *variable != '\0' ? variable : kDriver,
                             &Driver::load);
}

Result<const Driver*> Driver::load(const std::string& file) {
  void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return unavailable(
        "NVIDIA's driver is not here ({}): install it (Debian and Ubuntu: a package "
        "nvidia-driver-...), or give the container the host's",
        ::dlerror());
  }
  std::unique_ptr<Driver> driver(new Driver());
  const char* missing = nullptr;
#define SLIPWAY_CUDA_FUNCTION(member, symbol, ...)                                      \
  driver->functions_.member =                                                           \
      reinterpret_cast<decltype(driver->functions_.member)>(::dlsym(library, #symbol)); \
  if (driver->functions_.member == nullptr && missing == nullptr) missing = #symbol;
  SLIPWAY_CUDA_FUNCTIONS(SLIPWAY_CUDA_FUNCTION)
#undef SLIPWAY_CUDA_FUNCTION
  if (missing != nullptr) {
    return unavailable("{} lacks {}: it is not NVIDIA's driver, or one that is too old", file,
                       missing);
  }
  const Functions& call = driver->functions_;
  const Status started = driver->check(call.init(0), "NVIDIA's driver does not start");
  if (!started.ok()) return unavailable("{}", started.error().message());
  SLIPWAY_RETURN_IF_ERROR(
      driver->check(call.driver_version(&driver->version_), "NVIDIA's driver has no version"));
  SLIPWAY_RETURN_IF_ERROR(
      driver->check(call.device_count(&driver->device_count_), "GPUs can't be counted"));
  return driver.release();
}

std::string Driver::version_text() const {
  return fmt::format("CUDA {}.{}", version_ / 1000, version_ % 1000 / 10);
}

Status Driver::check(int code, std::string_view what) const {
  if (code == 0) return {};
  const char* name = nullptr;
  const char* text = nullptr;
  functions_.error_name(code, &name);
  functions_.error_text(code, &text);
  std::string message = fmt::format("{}: {}", what, name != nullptr ? name : "CUDA error");
  message += text != nullptr ? fmt::format(" ({})", text) : fmt::format(" {}", code);
  if (code == kOutOfMemory) return resource_exhausted("{}", message);
  if (const char* const help = remedy(code)) return unavailable("{}; {}", message, help);
  return internal_error("{}", message);
}

}  // namespace slipway::cuda
