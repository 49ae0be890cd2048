// What several engines may share: a plan that TensorRT has read, and memory that they work in.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "cuda/driver/memory.h"
#include "tensorrt/delegate/budget.h"
#include "tensorrt/delegate/shared_runtime.h"
#include "tensorrt/library/engine.h"

namespace slipway::tensorrt {

// What two engines must have in common to share a plan, the budget aside.
struct PlanId {
  std::string sha256;
  size_t size = 0;
  int device = 0;
  const SharedRuntime* runtime = nullptr;

  bool operator==(const PlanId&) const = default;
};

class Plan {
 public:
  Plan(std::shared_ptr<SharedRuntime> runtime, cuda::DevicePointer device, tensorrt::Engine engine,
       PlanId id, const Budget& budget, bool is_shared)
      : id(std::move(id)),
        is_shared(is_shared),
        budget(budget),
        runtime_(std::move(runtime)),
        device_(std::move(device)),
        engine_(std::move(engine)) {}
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    // TensorRT frees the device's memory in it.
    const auto current = device_->make_current();
    keep_kernels();
    config_.reset();
    engine_.reset();
  }

  tensorrt::Engine& engine() { return *engine_; }
  // With kernels that were compiled before. While the device is current, as below.
  Result<ExecutionContext> create_context(bool with_memory);
  // For later processes, where there are others than before.
  void keep_kernels();
  const cuda::DevicePointer& device() const { return device_; }

  const PlanId id;
  const bool is_shared;          // with engines that are loaded later
  Budget budget;                 // what is asked for; Programs changes it
  std::atomic<int> contexts{0};  // that are there: while there are some, no budget can be set

 private:
  std::shared_ptr<SharedRuntime> runtime_;
  cuda::DevicePointer device_;
  std::optional<tensorrt::Engine> engine_;
  std::optional<RuntimeConfig> config_;  // of its contexts, once there was one
  std::string kernel_file_;
  std::string kept_;  // the SHA-256 of what is in it
};

// Memory of a device that contexts work in one at a time.
struct Scratch {
  explicit Scratch(cuda::DevicePointer device) : memory(std::move(device)) {}
  std::mutex mutex;  // held from before the memory is given to a context until its run is over
  cuda::DeviceBuffer memory;
};

}  // namespace slipway::tensorrt
