// One engine in memory: its kernels and constants on a device, and the memory that calls of it
// need.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <executorch/runtime/core/error.h>
#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/span.h>

#include "cuda/delegate/images.h"
#include "cuda/delegate/programs.h"
#include "cuda/delegate/scratch_plan.h"
#include "cuda/delegate/search.h"
#include "cuda/delegate/step_times.h"
#include "cuda/delegate/weights.h"
#include "cuda/driver/call_memory.h"
#include "cuda/driver/graphs.h"
#include "cuda/format/blob.h"
#include "cuda/format/choices.h"
#include "cuda/format/numbers.h"
#include "cuda/libraries/cublaslt.h"
#include "cuda/libraries/dnn_graphs.h"
#include "delegate/arguments.h"
#include "delegate/backend.h"
#include "engine/tuner.h"

namespace slipway::cuda {

class LoadedEngine final : public delegate::Engine {
 public:
  struct Settings {
    bool with_graphs = false;
    // How many bytes the constants may take on the device; without it they are all there.
    std::optional<uint64_t> weight_budget = std::nullopt;
    std::string program = {};  // as ProgramDevice has it
    // Told in the first call which alternatives are fastest; null: nothing is timed.
    engine::Tuner* (*tuner)() = nullptr;
    std::string xxh3 = {};  // of the engine's bytes, for it
  };
  // Loads the kernels and copies the constants, whose bytes stay where some are brought in each
  // call. The device is the current one.
  static Result<std::unique_ptr<LoadedEngine>> load(const DevicePointer& device, Blob blob,
                                                    Settings settings);

  // Tensors of the device are bound where they lie, those of the host are copied there and back.
  // When it returns, the results are there. Work is queued on the caller's stream, if it chose one.
  // While it is profiled it queues steps singly, and tells how long each took on the device.
  executorch::runtime::Error run(executorch::runtime::Span<executorch::runtime::EValue*> arguments,
                                 executorch::runtime::EventTracer* tracer) override;

 private:
  using Values = executorch::runtime::Span<executorch::runtime::EValue*>;
  using EtError = executorch::runtime::Error;

  // What follows from the sizes of a call's inputs.
  struct Sizes {
    static constexpr size_t kMost = 8;  // that are known at once, the latest ones

    CallSizes inputs;
    std::vector<int64_t> numbers;
    ScratchPlan scratch;
    uint64_t id = 0;
  };

  LoadedEngine(const DevicePointer& device, table::EngineT engine, std::optional<LoadedImage> image,
               Stream stream, Settings settings);

  Status check_choices();
  // Where it can't be, what is done without is logged.
  void open_cublaslt(const char* without);
  // The same; with the plans that the engine keeps.
  void open_cudnn(const char* without);
  void restore_plans();
  // Logs that some of what was to be by cuDNN is not.
  void tell_refused_graphs(const Choices& wanted);
  std::map<uint32_t, std::string> store_plans();
  Surroundings here();
  Status find_functions();
  Status load_weights(std::span<const std::byte> constants, std::optional<uint64_t> budget);
  Status run_on(const Stream& stream, Values values, StepTimes* times, EtError& refused);
  EtError read_inputs(Values values, CallSizes& sizes);
  Status read_elements(Values values, CallSizes& sizes, const Stream& stream);
  Status set_sizes(CallSizes sizes);
  Status check_numbers(const std::vector<int64_t>& numbers) const;
  Status check_inputs() const;
  EtError resize_outputs(Values values);
  EtError bind(size_t index, Values values);
  Status check_buffers() const;
  Address address_of(uint32_t buffer) const;
  // With `times`, a mark before the first step and behind each.
  Status queue_all(const Stream& stream, StepTimes* times);
  Status queue_steps(const Stream& stream, StepTimes* times);
  bool is_left_out(const table::StepUnion& step) const;
  Status queue(const table::LaunchT& launch, const Stream& stream, bool overlaps);
  Status queue(const table::CopyT& copy, const Stream& stream);
  Status queue(const table::ProductT& product, const Stream& stream);
  Status queue(const table::LibraryGraphT& graph, const Stream& stream);
  Status check_flags() const;
  // With the memory and the sizes of the last call, whose results are somewhere else by then.
  Status tune(engine::Tuner& tuner);
  Result<std::vector<std::vector<double>>> time_calls(std::span<const Choices> choices);
  std::vector<TunedChoice> describe_choices() const;
  Status tell_steps(executorch::runtime::EventTracer& tracer) const;
  Error with_memory(const Error& error) const;

  DevicePointer device_;
  ProgramDevice program_device_;
  const std::string xxh3_;
  // Gives the calling thread's, or null; null itself once it has been asked.
  engine::Tuner* (*tuner_)();
  table::EngineT engine_;
  std::optional<LoadedImage> image_;
  std::vector<Function> functions_;           // of engine_.kernels
  std::optional<LibraryProducts> products_;   // where cuBLASLt is wanted, and is here
  std::optional<DnnGraphs> graphs_by_cudnn_;  // likewise
  std::optional<Weights> weights_;            // nothing where there are none
  DeviceBuffer flags_;
  PinnedBuffer flags_on_host_;
  DeviceBuffer scratch_;
  DeviceBuffer nothing_;  // the memory of tensors without elements
  Stream stream_;
  delegate::Arguments arguments_;
  std::vector<CallMemory> memory_;  // of the arguments
  std::vector<bool> has_element_;   // of each input, whether a number is its one element
  std::list<Sizes> known_;          // the latest one first, which is the call's
  uint64_t next_id_ = 0;
  std::optional<Graphs> graphs_;    // of its runs; nothing where they are queued singly
  std::optional<StepTimes> times_;  // of the last run; nothing until one is profiled
};

}  // namespace slipway::cuda
