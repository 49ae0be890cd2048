// Engines that a runtime read: what they take and give, how much of their weights stays on the
// host, and contexts that run them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "slipway/result.h"
#include "tensorrt/library/abi.h"
#include "tensorrt/library/layer_times.h"
#include "tensorrt/library/session.h"

namespace slipway::tensorrt {

// An input or output.
struct IoTensor {
  std::string name;
  DataType type = DataType::kFloat;
  std::vector<int64_t> shape;  // -1 where it is dynamic
  bool is_input = false;
  bool is_shape_tensor = false;  // its values decide about shapes, or lie on the host
  bool is_linear = true;         // its elements lie in the order of the shape, without gaps

  bool is_dynamic() const;
};

// The shapes of an input that a profile serves, sizes of one rank.
struct ShapeBounds {
  std::vector<int64_t> min;
  std::vector<int64_t> max;
};

// Runs an engine, which must outlive it. For one thread at a time, whose current context is that of
// the engine's device.
class ExecutionContext : public Part {
 public:
  // Another profile than 0; no shape is set then. Work that it needs is queued on the stream.
  Status set_profile(int profile, void* stream);
  // kInvalidArgument with TensorRT's message where the engine does not take it.
  Status set_shape(const std::string& input, std::span<const int64_t> sizes);
  // Once all shapes of inputs are set: those of the outputs are known then.
  Status infer_shapes();
  std::vector<int64_t> shape(const std::string& tensor) const;
  Status set_address(const std::string& tensor, void* address);
  // Of the device, as much as Engine::context_memory() says.
  void set_memory(void* address, int64_t size);
  // From now on enqueue() waits for the run, and each of its layers is told `times`, which must
  // outlive this. TensorRT-RTX takes it off no context again.
  void set_profiler(LayerTimes& times);
  // Queues a run. kResourceExhausted where memory was short.
  Status enqueue(void* stream);

 private:
  friend class Engine;
  using Part::Part;
};

// What contexts of TensorRT-RTX are made with: the kernels that it has compiled for this GPU, which
// they share. Its engine must outlive it, and it its contexts. For one thread at a time, as above.
class RuntimeConfig {
 public:
  // Those of an earlier process, before the first context. False where TensorRT does not take them.
  bool read_kernels(std::span<const std::byte> bytes);
  // Those that there are.
  Result<std::vector<std::byte>> kernels() const;

 private:
  friend class Engine;
  struct Owned : Part {
    Owned(SessionPointer session, Object* object) : Part(std::move(session), object) {}
  };
  RuntimeConfig(Owned config, Owned cache) : config_(std::move(config)), cache_(std::move(cache)) {}
  Owned config_;
  Owned cache_;
};

// For one thread at a time, as above.
class Engine : public Part {
 public:
  std::vector<IoTensor> tensors() const;
  // Without sizes where the engine has no such profile, or the input none.
  ShapeBounds bounds(const std::string& input, int profile) const;

  // Bytes of weights that may stay on the host; 0 where none may.
  int64_t streamable_weights() const;
  // Below: kUnsupported names the version of TensorRT that has them. How much TensorRT would keep
  // on the device as things are.
  Result<int64_t> automatic_weight_budget() const;
  Result<int64_t> weight_budget() const;
  // Before a context exists. False, with a message in the log, where TensorRT refuses it.
  Result<bool> set_weight_budget(int64_t bytes);

  // Bytes of the device that a context works in, weights aside, at the budget that is set.
  Result<int64_t> context_memory() const;

  // Nothing where this TensorRT makes contexts without.
  Result<std::optional<RuntimeConfig>> create_config() const;
  // With that memory, or without: then each run needs ExecutionContext::set_memory before.
  Result<ExecutionContext> create_context(bool with_memory = true,
                                          const RuntimeConfig* config = nullptr);

  // What TensorRT says of the latest step: "`what`: " and its first error.
  Error error(ErrorCode code, std::string_view what) const;

 private:
  friend class Runtime;
  using Part::Part;
};

}  // namespace slipway::tensorrt
