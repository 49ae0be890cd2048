// From a lowered graph to the source of its kernels, and the order of their launches.
//
// A value is defined by the C expression of its element (value.h). What is only pointwise or moves
// elements has no kernel of its own: it is written into the kernels of its readers, unless that
// would compute much more than once. Reductions, products and the like are roots: what is pointwise
// behind them is written into their kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/piece_writer.h"
#include "cuda/builder/kernel.h"
#include "cuda/builder/number_table.h"
#include "cuda/builder/value.h"
#include "engine_build/builder.h"
#include "engine_build/constants.h"
#include "onnx/graph.h"
#include "onnx/value_types.h"
#include "slipway/result.h"

namespace slipway::cuda {

class Generator {
 public:
  // In which ways something may be computed.
  struct Ways {
    uint32_t candidates = 1;  // how many are written at the most
    // Of the images of the engine: whether one is machine code for Hopper alone, whose ways are
    // among them then, and whether there are others, for which there is one besides.
    bool are_for_hopper = false;
    bool are_for_others = true;
    bool with_cublaslt = false;  // whether that library computes products, too
    bool with_cudnn = false;     // and that one convolutions and attention
  };
  Generator(const onnx::Graph& graph, const engine_build::Constants& constants, Ways ways);

  // All nodes, or those that it refuses.
  std::vector<engine_build::Refusal> run();

  // What run() made. `images` of the engine are left to the caller.
  table::EngineT take_engine();
  // Of all kernels, as CUDA C++.
  std::string source() const;
  // At the offsets that the engine's buffers have, each a multiple of 256.
  struct Constant {
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;  // of those that are no initializer's
    uint64_t offset;
  };
  const std::vector<Constant>& constants() const { return constant_list_; }
  // The same with what lies between them, `bytes` in all.
  PieceList constant_pieces(uint64_t bytes) const;

  // ---- For kernels.
  const Ways& ways() const { return ways_; }
  uint32_t number(const ir::SymInt& value);
  // The buffer of flags, and the place of this one.
  std::pair<uint32_t, uint32_t> flag(const std::string& text);
  // The one element of an initializer that has no more.
  std::optional<std::string> literal(const Value& value) const;
  // The same of a float32, as a number.
  std::optional<float> real(const Value& value) const;
  // What the elements of an initializer of integers are: each so much more than the one before.
  struct Progression {
    int64_t first = 0;
    int64_t step = 0;
  };
  std::optional<Progression> progression(const Value& value);
  uint32_t constant(const Value& value);
  // An initializer in another form: `make` gives its bytes where they are not there yet.
  uint32_t constant(const Value& value, const std::string& form,
                    const std::function<std::vector<std::byte>()>& make);
  // Memory for what one launch leaves to a later one.
  uint32_t scratch(const ir::SymInt& bytes);
  // The known number of elements of the largest value, which need not be in memory.
  int64_t most_elements() const { return most_elements_; }
  void add_elements(const ir::SymInt& count);
  // Of a buffer.
  const ir::SymInt& bytes(uint32_t buffer) const { return buffer_bytes_.at(buffer); }
  bool is_constant(uint32_t buffer) const;
  // Whether the buffer is the caller's, which may lie anywhere.
  bool is_of_caller(uint32_t buffer) const;
  // Kernels use what this text has, one of device_code.h.
  void use(std::string_view text);

  // ---- For rules.
  Value& value(const std::string& name);
  const Value* find(const std::string& name) const;
  // The nodes that read a value.
  std::span<const onnx::Node* const> readers(const std::string& name) const;
  // Whether what several readers compute of it, element by element, becomes one value again, such
  // as x * sigmoid(x), and nothing else reads what lies between.
  bool rejoins(const Value& value) const;
  const onnx::Graph& graph() const { return graph_; }
  const onnx::ValueTypes& types() const { return types_; }
  std::span<const std::byte> bytes(const onnx::Initializer& initializer) const {
    return constants_.bytes(initializer);
  }
  const Sizes* declared_sizes(const std::string& name) const;
  // Gives it memory; whoever asks has to write it by a kernel.
  void allocate(Value& value);
  // Writes the kernel that computes the value into memory, if none has, in each way that it knows.
  void materialize(Value& value);
  // A kernel that computes each element of a value, which has memory, of what others have.
  void write_elements(Value& value, Kernel& kernel);
  void launch(const Kernel& kernel);
  // Why the node at hand is not taken. The first reason stays.
  void fail(std::string reason);
  bool failed() const { return reason_.has_value(); }

 private:
  void add_inputs();
  void count_readers();
  void lower(const onnx::Node& node);
  void write(Value& value, Kernel& kernel);
  void add_choice(size_t first_step);
  uint32_t add_buffer(table::Home home, uint32_t position, uint64_t offset,
                      const ir::SymInt& bytes);
  uint32_t add_constant(std::span<const std::byte> data, std::shared_ptr<const void> owner);
  table::PortT port(const onnx::ValueType& type);

  const onnx::Graph& graph_;
  const engine_build::Constants& constants_;
  const onnx::ValueTypes types_;
  const Ways ways_;
  NumberTable numbers_;
  std::unordered_map<std::string, std::unique_ptr<Value>> values_;
  std::unordered_map<std::string, std::vector<const onnx::Node*>> readers_;
  std::unordered_map<std::string, const Sizes*> declared_;
  table::EngineT engine_;
  using Source = std::pair<std::string, std::string>;  // attributes, and the text behind the name
  std::map<Source, uint32_t> kernels_;
  std::vector<const Source*> sources_;
  // Of alternatives and their kernels.
  std::map<std::vector<std::pair<uint8_t, uint32_t>>, uint32_t> choices_;
  std::map<std::pair<const onnx::Initializer*, std::string>, uint32_t> constant_buffers_;
  std::map<const onnx::Initializer*, std::optional<Progression>> progressions_;
  std::vector<Constant> constant_list_;
  std::vector<ir::SymInt> buffer_bytes_;  // of engine_.buffers
  int64_t most_elements_ = 0;
  std::optional<uint32_t> flags_;
  std::vector<std::string_view> texts_;
  const onnx::Node* node_ = nullptr;
  std::optional<std::string> reason_;
};

}  // namespace slipway::cuda
