// One engine in memory: a plan that TensorRT read, its context, and the memory that calls of it
// need.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <executorch/runtime/core/error.h>
#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/span.h>

#include "base/queued_run.h"
#include "cuda/driver/call_memory.h"
#include "cuda/driver/graphs.h"
#include "cuda/driver/memory.h"
#include "delegate/arguments.h"
#include "delegate/backend.h"
#include "tensorrt/delegate/plan.h"
#include "tensorrt/delegate/ports.h"
#include "tensorrt/delegate/profiles.h"
#include "tensorrt/library/engine.h"

namespace slipway::tensorrt {

// The error, with what memory the device has where it lacked some.
Error with_memory(const Error& error, const cuda::Device& device);

class LoadedEngine final : public delegate::Engine {
 public:
  // Without a context, which Programs makes. The device is the current one.
  static Result<std::unique_ptr<LoadedEngine>> make(std::shared_ptr<Plan> plan, Ports ports,
                                                    std::string program, bool shares_scratch,
                                                    bool with_graphs);
  ~LoadedEngine() override;

  // Tensors of the device are bound where they lie, those of the host are copied there and back.
  // When it returns, the results are there, unless the caller waits for them itself
  // (cuda::caller_queue). Work is queued on the caller's stream, if it chose one.
  executorch::runtime::Error run(executorch::runtime::Span<executorch::runtime::EValue*> arguments,
                                 executorch::runtime::EventTracer* tracer) override;

  // For Programs. What it belongs to; empty where it stands alone.
  const std::string& program() const { return program_; }
  const cuda::Device& device() const { return *device_; }
  const std::shared_ptr<Plan>& plan() const { return plan_; }
  int64_t streamable_weights() const { return plan_->engine().streamable_weights(); }
  // Whether it works in the memory that engines of all programs share.
  bool shares_scratch() const { return shares_scratch_; }
  // What it works in; null: its context has its own memory.
  const std::shared_ptr<Scratch>& scratch() const { return scratch_; }
  void set_scratch(std::shared_ptr<Scratch> scratch) { scratch_ = std::move(scratch); }
  // Of its device, in bytes.
  Result<int64_t> free_memory() const;
  // While this is held no run is made, and what an earlier one queued is done. The three below need
  // it.
  std::unique_lock<std::mutex> hold();
  // Without a context. Where TensorRT can't have what it has chosen itself, all is streamed.
  Status give_budget(int64_t bytes);
  Status make_context();
  void drop_context();

 private:
  // What a call does with an argument.
  struct Argument {
    explicit Argument(const cuda::DevicePointer& device) : memory(device) {}
    cuda::CallMemory memory;
    std::vector<int64_t> sizes;  // of an input whose sizes are dynamic
  };
  using Values = executorch::runtime::Span<executorch::runtime::EValue*>;
  using EtError = executorch::runtime::Error;

  LoadedEngine(std::shared_ptr<Plan> plan, cuda::Stream stream, Ports ports, std::string program,
               bool shares_scratch);

  const IoTensor& tensor(size_t index) const;
  bool is_input(size_t index) const { return index < ports_.inputs.size(); }
  EtError report(const Status& status) const;

  std::vector<executorch::runtime::EValue*> with_aliases(Values values) const;
  EtError check_bounds(bool is_pinned) const;
  EtError set_profile(const cuda::Stream& stream);
  EtError set_shapes(const cuda::Stream& stream, Values values);
  EtError resize_outputs(Values values);
  EtError locate(size_t index, Values values);
  bool is_with_its_alias(size_t index, Values values) const;
  EtError bind(Values values);
  void use_graphs();
  Status enqueue(const cuda::Stream& stream);
  Status queue_all(const cuda::Stream& stream);
  Status prepare_context(bool is_profiled);
  EtError run_here(Values values);
  EtError run_on(const cuda::Stream& stream, Values values);
  // Queues a call's work; results are there once it is done and collect() has been called.
  EtError queue_on(const cuda::Stream& stream, Values values);
  EtError collect(const cuda::Stream& stream);
  // Queues it for a caller that waits itself.
  class Queued;
  EtError leave(QueuedRun& run, cuda::Stream stream, Values values);
  // Gives the context its memory, which is its own until the lock is gone.
  Result<std::unique_lock<std::mutex>> take_scratch();

  std::shared_ptr<Plan> plan_;
  cuda::DevicePointer device_;
  std::string program_;
  bool shares_scratch_;
  std::shared_ptr<Scratch> scratch_;
  std::mutex mutex_;
  std::optional<LayerTimes> layer_times_;  // of the context, which is profiled then
  std::optional<ExecutionContext> context_;
  cuda::Stream stream_;
  Ports ports_;
  ProfileTable profiles_;
  int profile_ = 0;  // the context's
  delegate::Arguments arguments_;
  std::vector<Argument> slots_;
  std::optional<cuda::Graphs> graphs_;  // of its runs; nothing where they are queued singly
  std::vector<int64_t> graphs_shapes_;  // what they are of: the profile, and the inputs' sizes
  cuda::DeviceBuffer nothing_;          // the memory of tensors without elements
  std::weak_ptr<cuda::Event> queued_;   // behind what a caller is to wait for
};

}  // namespace slipway::tensorrt
