// What one method becomes: values and instructions, before they are written as a flatbuffer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "slipway/tensor.h"

namespace slipway::pte {

// A piece of the planned memory, for as long as the instructions [first, last] run.
struct Block {
  uint64_t size = 0;
  int32_t first = -1;  // -1: no instruction touches it yet
  int32_t last = -1;
  bool permanent = false;  // mutable buffers live from load to unload
  bool shared = false;     // by methods: in their common memory, at an offset that is set already
  uint64_t offset = 0;     // set by plan_memory
  // The CUDA device whose memory it is in; nothing: the host's.
  std::optional<int8_t> device = {};
};

// What a method plans in one memory, which ExecuTorch allocates as a whole.
struct Arena {
  uint64_t size = 0;
  std::optional<int8_t> device = {};  // likewise
};

struct NullValue {};
// A tensor's address is one of: a constant's (data_buffer without an allocation), planned
// (allocated), planned and initialised (both), or given at run time (neither).
struct TensorValue {
  DType dtype = DType::kFloat32;
  std::vector<int32_t> sizes;  // the largest ones
  bool dynamic = false;
  uint32_t data_buffer = 0;  // index into the constants, or into the method's mutable data
  int32_t block = -1;        // the block that holds its bytes, also where it is a run-time view
  bool allocated = false;    // its bytes begin where the block begins
  std::string name;          // fully qualified, for mutable buffers

  bool has_static_address() const { return allocated || data_buffer > 0; }
};
// Lists hold the indices of their items; -1 is None.
struct IntListValue {
  std::vector<int64_t> items;
};
struct TensorListValue {
  std::vector<int32_t> items;
};
struct OptionalTensorListValue {
  std::vector<int32_t> items;
};

using PlanValue =
    std::variant<NullValue, int64_t, bool, double, std::string, TensorValue, IntListValue,
                 std::vector<double>, std::vector<bool>, TensorListValue, OptionalTensorListValue>;

struct KernelCall {
  int32_t op = 0;
  std::vector<int32_t> args;
};
struct DelegateCall {
  int32_t delegate = 0;
  std::vector<int32_t> args;  // what the engine is given, then its results
};
struct JumpFalse {
  int32_t condition = 0;
  int32_t destination = 0;
};
struct Move {
  int32_t from = 0;
  int32_t to = 0;
};
struct Instruction {
  std::variant<KernelCall, DelegateCall, JumpFalse, Move> call;
  std::string origin;  // "node_name: File ..., line ..."
};

struct OperatorName {
  std::string name;
  std::string overload;
};

struct Delegate {
  std::string backend;
  std::map<std::string, std::string> compile_specs;
  uint32_t engine = 0;                // among the file's
  std::optional<int8_t> device = {};  // of the tensors that it takes, where it takes them there
};

struct Plan {
  std::string name;
  std::vector<PlanValue> values;
  std::vector<int32_t> inputs;
  std::vector<int32_t> outputs;
  std::vector<Instruction> instructions;
  std::vector<OperatorName> operators;
  std::vector<Delegate> delegates;
  std::vector<Block> blocks;
  std::vector<Arena> arenas;  // the host's is the first, and the shared one the second
};

}  // namespace slipway::pte
