#include "tensorrt/delegate/plan.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "base/try.h"
#include "tensorrt/delegate/kernel_file.h"

namespace slipway::tensorrt {

Result<ExecutionContext> Plan::create_context(bool with_memory) {
  if (!config_) {
    SLIPWAY_ASSIGN_OR_RETURN(config_, engine().create_config());
    if (config_ && !id.sha256.empty()) {
      const cuda::DeviceInfo& device = device_->info();
      kernel_file_ =
          kernel_file_for(fmt::format("{} {} {} {} {}", engine().version().name(), device.name,
                                      device.capability, id.sha256, device_->driver().version()));
      if (const auto kernels = read_kernel_file(kernel_file_)) {
        if (config_->read_kernels(*kernels)) kept_ = sha256_hex(*kernels);
      }
    }
  }
  return engine().create_context(with_memory, config_ ? &*config_ : nullptr);
}

void Plan::keep_kernels() {
  if (!config_ || kernel_file_.empty()) return;
  const auto kernels = config_->kernels();
  if (!kernels.ok() || kernels->empty()) return;
  std::string sha256 = sha256_hex(*kernels);
  if (sha256 == kept_) return;
  write_kernel_file(kernel_file_, *kernels);
  kept_ = std::move(sha256);
}

}  // namespace slipway::tensorrt
