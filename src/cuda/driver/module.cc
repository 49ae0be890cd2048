#include "cuda/driver/module.h"

#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/printable.h"
#include "base/try.h"

namespace slipway::cuda {
namespace {

// CUDA's numbers.
constexpr int kErrorLog = 5;
constexpr int kErrorLogSize = 6;
constexpr int kMostDynamicShared = 8;
constexpr uint32_t kSharedUnasked = 48 << 10;
constexpr size_t kLog = 4096;
constexpr int kInvalidImage = 200;
constexpr int kNoBinary = 209;
constexpr int kInvalidPtx = 218;
constexpr int kUnsupportedPtx = 222;

bool is_of_code(int code) {
  return code == kInvalidImage || code == kNoBinary || code == kInvalidPtx ||
         code == kUnsupportedPtx;
}

}  // namespace

Result<Module> Module::load(DevicePointer device, std::span<const std::byte> code) {
  const Driver& driver = device->driver();
  // PTX ends where a text of C does.
  std::string image(reinterpret_cast<const char*>(code.data()), code.size());
  std::vector<char> log(kLog, '\0');
  std::array<int, 2> options = {kErrorLog, kErrorLogSize};
  std::array<void*, 2> values = {log.data(), reinterpret_cast<void*>(log.size() - 1)};
  void* handle = nullptr;
  const int loaded = driver.call().load_module(&handle, image.data(), options.size(),
                                               options.data(), values.data());
  Status status = driver.check(
      loaded, [&] { return fmt::format("kernels don't load on {}", describe(device->info())); });
  if (status.ok()) return Module(std::move(device), handle);
  std::string text = status.error().message();
  if (log[0] != '\0') text += ": " + printable_message(log.data());
  if (!is_of_code(loaded)) return Error(status.error().code(), text);
  if (loaded == kUnsupportedPtx) {
    text += fmt::format(
        ": the driver is of {}, which is older than the PTX: update it, or compile the model for "
        "sm_{}",
        driver.version_text(), device->info().capability);
  }
  return unsupported("{}", text);
}

Module::~Module() {
  if (handle_ == nullptr) return;
  if (const auto current = device_->make_current(); current.ok()) {
    device_->driver().call().unload_module(handle_);
  }
}

Result<Function> Module::find(const std::string& name) const {
  const Driver& driver = device_->driver();
  Function function = nullptr;
  SLIPWAY_RETURN_IF_ERROR(
      driver.check(driver.call().find_function(&function, handle_, name.c_str()),
                   [&] { return fmt::format("there is no kernel {}", printable(name)); }));
  return function;
}

Status Module::allow_shared_bytes(Function function, uint32_t bytes) const {
  if (bytes <= kSharedUnasked) return {};
  const Driver& driver = device_->driver();
  const Status set = driver.check(
      driver.call().set_function(function, kMostDynamicShared, static_cast<int>(bytes)), [&] {
        return fmt::format("a block can't have {} bytes of shared memory on {}", bytes,
                           describe(device_->info()));
      });
  if (set.ok()) return {};
  return unsupported("{}", set.error().message());
}

}  // namespace slipway::cuda
