// A lowered program or partition, as ONNX has it, in memory: what every engine is built from.
//
// Plain data: a graph may be read from several threads as long as nobody changes it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/byte_source.h"
#include "ir/program.h"
#include "slipway/tensor.h"

namespace slipway::onnx {

struct Graph;

// TensorProto.DataType of an element type; 0 for one that ONNX lacks.
int32_t onnx_type(DType dtype);

using AnyAttribute =
    std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                 std::vector<std::string>, std::shared_ptr<Graph>>;
// A class for the reason that ir::Argument is one.
class Attribute : public AnyAttribute {
 public:
  Attribute(const Attribute& other);
  Attribute(Attribute&& other) noexcept;
  Attribute& operator=(const Attribute& other);
  Attribute& operator=(Attribute&& other) noexcept;
  ~Attribute();
  template <class T>
  requires(!std::is_same_v<std::remove_cvref_t<T>, Attribute> &&
           std::is_constructible_v<AnyAttribute, T>)
      Attribute(T&& value)  // NOLINT(google-explicit-*,bugprone-forwarding-*)
      : AnyAttribute(std::forward<T>(value)) {}
};

struct Node {
  std::string op_type;  // in the default domain
  std::string name;
  std::vector<std::string> inputs;  // "" for an optional one that is left out
  std::vector<std::string> outputs;
  std::vector<std::pair<std::string, Attribute>> attributes;
  // The ATen node behind it: its name in the archive, its operator, and its last Python frame.
  std::string origin;
  std::string target;
  std::string stack_trace;
};

struct ValueType {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<ir::SymInt> sizes;
};

// Constant data: contiguous, little-endian.
struct Initializer {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<int64_t> sizes;
  ByteSource data;
};

// State that the program changes: the graph takes its value before a run as an input and gives the
// one after it as an output.
struct StateAlias {
  std::string input;
  std::string output;
  std::string target;  // the buffer's or the user input's name in the program
  // Buffers: what it holds at the start. `name` is `input`; empty for a user input.
  Initializer initial;
};

struct Graph {
  std::string name;
  int64_t opset = 20;
  std::vector<ValueType> inputs;
  std::vector<ValueType> outputs;
  std::vector<Initializer> initializers;
  std::vector<Node> nodes;  // in topological order
  // Of results of ATen nodes, as far as they are known by name here.
  std::vector<ValueType> values;
  std::vector<StateAlias> states;
  // The symbols behind the inputs at the end of `inputs`, each an int64[1]: those which no tensor
  // among the inputs defines.
  std::vector<std::string> symbol_inputs;
  // What the symbols in the sizes of the inputs can be.
  ir::SymbolRanges ranges;
};

}  // namespace slipway::onnx
