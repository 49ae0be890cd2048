// A program: one graph with its signature. Weights are spans, never copies.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "base/piece_writer.h"
#include "ir/graph.h"
#include "ir/sym_int.h"
#include "slipway/tree.h"

namespace slipway::ir {

// The data of a parameter, buffer or constant: a whole storage and how a tensor lies in it.
struct ConstantData {
  DType dtype = DType::kFloat32;
  std::vector<int64_t> sizes;
  std::vector<int64_t> strides;  // in elements; 0 repeats
  int64_t storage_offset = 0;    // in elements
  OwnedSpan storage;             // little-endian; mapped or folded

  // That sizes and strides are not negative and that every element lies within the storage. All
  // else here requires it.
  Status check() const;
  size_t nbytes() const;  // of the contiguous tensor
  bool is_contiguous() const;
  // Contiguous data in place; requires is_contiguous().
  std::span<const std::byte> bytes() const;
  // The contiguous bytes: where they lie, or laid out anew piece by piece with at most 1 MiB of
  // memory.
  ByteSource source() const;
  // The contiguous bytes as a vector, for small constants.
  std::vector<std::byte> to_contiguous() const;
};

enum class InputKind : uint8_t {
  kParameter,
  kBuffer,
  kConstant,      // lifted tensor constant, or one that a pass folded
  kCustomObject,  // kept as bytes
  kToken,
  kUserInput,
  kLiteral,  // a Python int, float, bool, str or None that export specialised on
};

// One entry of the signature. The graph's inputs are, in order, the values of the entries that
// have one (all but kLiteral).
struct Input {
  InputKind kind = InputKind::kUserInput;
  std::string name;        // the placeholder's or the literal's
  std::string target;      // fully qualified name of a parameter, buffer, constant or object
  Value* value = nullptr;  // null for kLiteral
  std::optional<ConstantData> data;  // parameters, buffers and constants
  OwnedSpan object;                  // kCustomObject: the record's bytes
  std::string object_type;           // its class_fqn
  bool persistent = true;            // buffers
  Argument literal;                  // kLiteral
};

enum class OutputKind : uint8_t {
  kUserOutput,
  kBufferMutation,     // `target`: the buffer's (or parameter's) fully qualified name
  kUserInputMutation,  // `target`: the user input's placeholder name
  kToken,
};

// One entry per output of the graph, in its order; the value is graph.outputs()[i]. Mutations come
// before user outputs. An archive in the training IR declares none: functionalize adds them.
struct Output {
  OutputKind kind = OutputKind::kUserOutput;
  std::string target;
};

struct Program {
  std::string source;  // the archive's path, for messages
  OwnedSpan archive;   // its bytes, with what nothing here holds; none where it was not read
  std::string torch_version;
  std::string dialect;  // "TRAINING" or "ATEN"
  std::shared_ptr<Graph> graph = std::make_shared<Graph>();
  std::vector<Input> inputs;
  std::vector<Output> outputs;
  SymbolRanges ranges;
  // What symbols were when the program was exported, where that is known; outside of its range
  // where that is narrower since.
  std::map<std::string, int64_t> hints;
  Tree input_tree;   // over the user inputs and literals: ((args...), {kwargs})
  Tree output_tree;  // over the user outputs

  // A copy with a graph of its own; the constants' bytes are shared.
  Program clone() const;
  // The input entry of a value, or null.
  const Input* input_of(const Value* value) const;
  Input* input_of(const Value* value);
  // Adds a kConstant input and gives its value. `name` is made unique.
  Value* add_constant(const std::string& name, ConstantData data);
  // Removes the entries (and graph inputs) of parameters, buffers, constants, objects and tokens
  // that no node and no output uses. User inputs stay.
  void remove_unused_constants();
};

// Checks what every pass must keep: nodes in topological order, each value defined once and before
// its uses, arguments that fit the operator's schema where it is known, inputs and outputs that
// match their entries, sizes without overflow. The error names the node.
Status verify(const Program& program);

// A text for people: signature, one line a node with types, sub-graphs indented.
std::string print(const Program& program);
std::string print(const Graph& graph, int indent = 0);
std::string print(const Argument& argument);
std::string print(const TensorType& type);  // "float32[s0, 3]"

}  // namespace slipway::ir
