// One method of a file, ready to run: ExecuTorch's Method with its memory and its bindings.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <executorch/extension/memory_allocator/malloc_memory_allocator.h>
#include <executorch/runtime/core/device_memory_buffer.h>
#include <executorch/runtime/core/hierarchical_allocator.h>
#include <executorch/runtime/executor/memory_manager.h>
#include <executorch/runtime/executor/method.h>
#include <executorch/runtime/executor/program.h>

#include "pte/reader/device_uses.h"
#include "pte/reader/reader.h"
#include "runtime/device_state.h"
#include "runtime/memory.h"
#include "runtime/plan.h"
#include "runtime/platform.h"
#include "runtime/signature.h"
#include "runtime/tracer.h"
#include "slipway/module.h"

namespace slipway::runtime {

class QueuedCall;

// Belongs to one thread at a time.
class LoadedMethod {
 public:
  // `file`, `program`, `data`, which may be null, `signature`, `shared` and `is_cancelled`, which
  // stops a run, must outlive the result. The error names the operators without a kernel, or the
  // backend, that this machine lacks.
  static Result<std::unique_ptr<LoadedMethod>> load(const pte::File& file,
                                                    const et::Program& program,
                                                    const et::NamedDataMap* data,
                                                    const std::string& name, Signature& signature,
                                                    SharedState& shared, const LoadOptions& options,
                                                    const std::atomic<bool>& is_cancelled);

  // As slipway::Method::run.
  Result<std::vector<Value>> run(std::span<const Value> inputs);
  // Starts it where engines of a device leave it to be waited for; null: it is to be run.
  std::unique_ptr<QueuedCall> queue(std::span<const Value> inputs);

  Result<std::vector<std::pair<std::string, Tensor>>> state();
  Status reset_state();
  // As slipway::Method's, of an output that there is.
  Status set_output(size_t index, const std::optional<Tensor>& memory);
  // As slipway::Method's, of an input and an output that there is.
  Device input_device(size_t index);
  Device output_device(size_t index);

  // As slipway::Method's, where `change` asks for nothing else.
  Result<uint64_t> weight_budget(const LoadOptions& change) const;

  // ExecuTorch stopped half-way: nothing but the destructor may be called any more.
  bool broken() const { return broken_; }
  const et::Method& method() const { return *method_; }

 private:
  // What outputs and state may lie in; shared with the tensors that are handed out.
  struct Buffers {
    std::vector<Memory> planned;
    std::shared_ptr<const Memory> shared;  // with other methods, planned, too; null: none is
    std::vector<executorch::runtime::DeviceMemoryBuffer> on_device;  // planned, too
    std::vector<Memory> outputs;  // one an output, empty where it has none of its own
    std::vector<Memory> input_copies;
    std::vector<Memory> copies;  // of outputs that ran out to be inputs
  };

  // A tensor input: what ExecuTorch is told about the caller's tensor.
  struct Binding {
    size_t index = 0;
    bool mutated = false;
    std::vector<executorch::aten::SizesType> sizes;
    std::vector<executorch::aten::DimOrderType> dim_order;
    std::vector<executorch::aten::StridesType> strides;
    executorch::aten::ScalarType type;
  };

  LoadedMethod(const pte::File& file, std::string name, Signature& signature, SharedState& shared,
               const std::atomic<bool>& is_cancelled);
  Status check_memory(const LoadOptions& options) const;
  Status allocate(const et::Program& program, const et::NamedDataMap* data,
                  const LoadOptions& options);
  Status bind_outputs();
  Status prepare_inputs();
  Status set_literal(size_t index, const Value& literal);
  Result<std::vector<std::pair<std::string, Tensor>>> state_on_host();
  // The bytes of an output that can be in the caller's memory.
  std::optional<uint64_t> needed_size(size_t index) const;
  // That each input's memory can be where it is.
  Status check_devices(std::span<const Value> inputs);
  // Whose engines alone use it.
  Device device_of(size_t value);
  // What the program does with a value in the host's memory; empty: nothing.
  std::string host_use(size_t value);
  bool is_in_given_output(const Tensor& tensor) const;
  // What the module allocated for its own tensors, and copies of them.
  bool is_own_memory(std::span<const std::byte> bytes) const;
  // Where each binding's bytes are: as given, or in a copy where the run would change them before
  // it has read them.
  Result<std::vector<void*>> input_data(std::span<const Value> inputs);
  // Whether the run writes to the input's memory, as far as that isn't the input's own purpose.
  bool is_overwritten(const Binding& binding, std::span<const Value> inputs) const;
  Status set_inputs(std::span<const Value> inputs, const std::vector<void*>& addresses);
  void set_chosen_integers(std::span<const Value> inputs);
  et::Error execute();
  // All of run() but its outputs.
  Status start(std::span<const Value> inputs);
  class Queued;
  Result<std::vector<Value>> outputs(std::span<const Value> inputs);
  Result<Tensor> output_tensor(size_t index, const executorch::aten::Tensor& tensor,
                               std::span<const Value> inputs);
  Error failure(et::Error error, const std::string& log) const;
  // What delegates know the method by: no other one of the process is called so.
  std::string program_id() const;
  // "forward of model.pte"
  std::string description() const;

  // No other one of the process has it.
  const uint64_t id_ = [] {
    static std::atomic<uint64_t> next{0};
    return next++;
  }();
  const pte::File& file_;
  const std::string name_;
  Signature& signature_;
  SharedState& shared_;
  const std::atomic<bool>& is_cancelled_;
  Plan plan_;

  std::function<void(const RunProfile&)> on_profile_;
  std::optional<Tracer> tracer_;  // where there is the function

  std::shared_ptr<Buffers> buffers_ = std::make_shared<Buffers>();
  std::vector<et::Span<uint8_t>> planned_spans_;
  std::vector<et::etensor::Device> planned_devices_;
  executorch::extension::MallocMemoryAllocator method_allocator_;
  TemporaryAllocator temporary_allocator_;
  std::optional<et::HierarchicalAllocator> planned_memory_;
  std::optional<et::MemoryManager> memory_manager_;
  std::optional<et::Method> method_;

  DeviceState device_state_;
  std::optional<bool> can_be_queued_;                 // once it is asked for
  std::optional<pte::DeviceUses> uses_;               // once they are asked for
  std::vector<std::optional<Tensor>> given_outputs_;  // the caller's memory, one an output
  std::map<size_t, void*> planned_outputs_;           // where they were before they had it

  std::vector<Binding> bindings_;
  std::vector<size_t> chosen_integers_;  // inputs
  bool broken_ = false;
  // The last run stopped at an instruction: the next one begins anew, by ExecuTorch's execute(),
  // which can't be stopped in between.
  bool has_failed_ = false;
  bool late_ = false;     // broken_ for want of time
  bool stopped_ = false;  // broken_ because it was cancelled
  std::optional<std::chrono::milliseconds> time_limit_;
};

}  // namespace slipway::runtime
