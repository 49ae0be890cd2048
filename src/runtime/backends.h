// Backends: the code that runs the delegated parts of a program.
//
// A backend registers itself with ExecuTorch when its shared library is opened, once a process. We
// open a library when a file first names its backend, so that a program without engines carries
// none. Any thread may call what is here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <executorch/runtime/backend/backend_options_map.h>
#include <executorch/runtime/backend/options.h>
#include <executorch/runtime/core/device_allocator.h>
#include <executorch/runtime/core/device_memory_buffer.h>

#include "engine/tuner.h"
#include "slipway/module.h"
#include "slipway/result.h"

namespace slipway::runtime {

// What the delegates that Slipway knows take of the options of Module::load, as ExecuTorch wants
// it.
class BackendSettings {
 public:
  // `is_checked`: engine::kCheckedOption.
  BackendSettings(const LoadOptions& options, const std::string& program, bool is_checked);
  // Valid as long as this is.
  executorch::runtime::LoadBackendOptionsMap map();

 private:
  std::vector<std::pair<const char*, std::vector<executorch::runtime::BackendOption>>> settings_;
};

// Where another library than Slipway's own registered the backend: which one, and what to do; empty
// otherwise. For errors: it may run the engines all the same.
std::string other_origin(const std::string& backend);

// Once all engines of a method are loaded that delegates plan together
// (engine::Description::weight_budget): before that none runs. `program` names them, as it did in
// BackendSettings; what the delegates log comes behind `log`.
Status finish_program(const std::string& program, std::string& log);
// How many bytes of weights they have on their device; `change`, a load option for it, is made
// first. kUnsupported where there is nothing to stream.
Result<uint64_t> weight_budget(const std::string& program, const LoadOptions& change);

// The memory of the CUDA device that all engines of a program run on which a backend has
// (engine::Description::takes_cuda_memory); nothing where there is none.
struct CudaMemory {
  executorch::runtime::DeviceAllocator* allocator = nullptr;
  int device = 0;
};
std::optional<CudaMemory> cuda_memory_of(const std::string& backend, const std::string& program);

// Memory of a CUDA device that a file plans, by ExecuTorch's allocator for such devices. Where none
// is registered, that of a known engine's delegate is, if one is here. `what` is for messages.
Result<executorch::runtime::DeviceMemoryBuffer> plan_on_device(uint64_t size, int8_t device,
                                                               const std::string& what);

// What the engine that was loaded last in this process runs with, such as "2 threads, latency";
// empty without one.
std::string engine_settings();

// What a registered backend runs engines with; empty where it does not tell.
struct Environment {
  std::string library_version;
  std::string capabilities;  // of the device, as the records of its engines have them
};
// Asks for ExecuTorch's options of these names.
Environment environment_of(const std::string& backend);

// While it lives, engines that this backend loads in this thread are tuned in their first call
// there. One at a time in a thread, which it ends in, too.
class TuningGuard {
 public:
  // kUnavailable where the backend is not here, or is not Slipway's own.
  static Result<TuningGuard> create(const std::string& backend, engine::Tuner& tuner);
  TuningGuard(TuningGuard&& other) noexcept : set_(std::exchange(other.set_, nullptr)) {}
  TuningGuard& operator=(TuningGuard&&) = delete;
  ~TuningGuard();

 private:
  using Set = void (*)(engine::Tuner*);
  explicit TuningGuard(Set set) : set_(set) {}
  Set set_;
};

// Makes sure that a backend is registered and says that it can work. The error names the library
// and how to get it.
Status require_backend(const std::string& id);

}  // namespace slipway::runtime
