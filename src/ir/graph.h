// The graph of a program: values, nodes and their arguments, much as torch.export has them.
//
// Nothing here is synchronised: a graph belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/mapped_file.h"
#include "ir/sym_int.h"
#include "slipway/tensor.h"

namespace slipway::ir {

class Graph;
class Node;

// The operator of a call of an engine: arguments (SymInt: the engine's index, Tensor[]: what it is
// given); its results are the engine's outputs.
inline constexpr const char* kCallEngine = "slipway.call_engine";

struct TensorType {
  DType dtype = DType::kFloat32;
  std::vector<SymInt> sizes;
  // In elements. Until functionalization these are PyTorch's own (they decide what is a view);
  // after it every tensor counts as contiguous and strides are empty.
  std::vector<SymInt> strides;

  bool operator==(const TensorType&) const = default;
  bool is_static() const;
  SymInt numel() const { return ir::numel(sizes); }
};

// kAbsent only keeps a place: a None among the results of a node, or a literal among the inputs of
// a sub-graph (the literal itself is what the node gives the sub-graph). Nothing uses it.
enum class ValueKind : uint8_t { kTensor, kSymInt, kSymFloat, kSymBool, kCustomObject, kAbsent };

// What a node produces or a graph takes in. Owned by its graph; the address is its identity.
class Value {
 public:
  const std::string& name() const { return name_; }
  ValueKind kind() const { return kind_; }
  bool is_tensor() const { return kind_ == ValueKind::kTensor; }
  // Requires is_tensor().
  const TensorType& type() const { return type_; }
  void set_type(TensorType type) { type_ = std::move(type); }
  const std::vector<SymInt>& sizes() const { return type_.sizes; }
  DType dtype() const { return type_.dtype; }
  int64_t rank() const { return static_cast<int64_t>(type_.sizes.size()); }

  // kSymInt: its expression. A symbol that only this value defines (from item(), nonzero()) is a
  // bare symbol here.
  const SymInt& expression() const { return expression_; }

  // The node that produces it; null for an input of the graph.
  Node* producer() const { return producer_; }
  // Which of the producer's outputs, or of the graph's inputs.
  size_t index() const { return index_; }

 private:
  friend class Graph;
  std::string name_;
  ValueKind kind_ = ValueKind::kTensor;
  TensorType type_;
  SymInt expression_;
  Node* producer_ = nullptr;
  size_t index_ = 0;
};

// Wrappers that keep enumerations apart from integers.
struct MemoryFormat {
  enum Kind : uint8_t { kContiguous, kChannelsLast, kChannelsLast3d, kPreserve } kind = kContiguous;
  bool operator==(const MemoryFormat&) const = default;
};
struct Layout {
  bool strided = true;
  bool operator==(const Layout&) const = default;
};
struct Device {
  std::string type = "cpu";
  int64_t index = -1;  // -1: none given.
  bool operator==(const Device&) const = default;
};
struct ComplexNumber {
  double real = 0;
  double imag = 0;
  bool operator==(const ComplexNumber&) const = default;
};
struct None {
  bool operator==(const None&) const = default;
};
// An operator given as an argument, by name.
struct OperatorName {
  std::string name;
  bool operator==(const OperatorName&) const = default;
};

// A text that is too long to be copied about, such as an engine in Base64: it stays where it lies.
// Printable ASCII without quotes and backslashes, and an argument of operators without a schema.
struct LongText {
  OwnedSpan bytes;
  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes.bytes.data()), bytes.bytes.size()};
  }
  bool operator==(const LongText& other) const { return view() == other.view(); }
};

// An item of a list in which some numbers are known and others are values.
using FloatItem = std::variant<Value*, double>;
using BoolItem = std::variant<Value*, bool>;
// Arguments by name, in the archive's order.
struct DictionaryEntry;
struct Dictionary {
  std::vector<DictionaryEntry> entries;
};
bool operator==(const Dictionary& a, const Dictionary& b);

// What an argument can be. Symbolic integers of the archive are expressions here, not values:
// whoever needs one at run time computes it from the sizes of the tensors that define its symbols.
// Symbolic floats and bools stay values.
using AnyArgument =
    std::variant<None,                                   //
                 Value*,                                 // tensor, sym_float, sym_bool, object
                 std::vector<Value*>,                    // null: a None in Tensor?[]
                 SymInt, std::vector<SymInt>,            // int, int[]
                 double, std::vector<double>,            //
                 bool, std::vector<bool>,                //
                 std::string, std::vector<std::string>,  //
                 LongText,                               //
                 DType, MemoryFormat, Layout, Device, ComplexNumber,
                 OperatorName,                                   //
                 std::vector<FloatItem>, std::vector<BoolItem>,  // never all literal
                 std::vector<std::vector<SymInt>>,               // int_lists
                 std::vector<std::vector<double>>,               // float_lists
                 std::vector<std::vector<Value*>>,               // nested_tensors
                 Dictionary,                                     // string_to_argument
                 std::shared_ptr<Graph>>;  // sub-graph of a higher-order operator

// One argument of a node, or one output of a graph. A class, so that copying and destroying the
// many types is compiled once and not wherever there are nodes.
class Argument : public AnyArgument {
 public:
  Argument();
  Argument(const Argument& other);
  Argument(Argument&& other) noexcept;
  Argument& operator=(const Argument& other);
  Argument& operator=(Argument&& other) noexcept;
  ~Argument();
  template <class T>
  requires(!std::is_same_v<std::remove_cvref_t<T>, Argument> &&
           std::is_constructible_v<AnyArgument, T>)
      Argument(T&& value)  // NOLINT(google-explicit-*,bugprone-forwarding-*)
      : AnyArgument(std::forward<T>(value)) {}
};
bool operator==(const Argument& a, const Argument& b);

struct DictionaryEntry {
  std::string key;
  Argument value;
  bool operator==(const DictionaryEntry&) const = default;
};

class Node {
 public:
  // The operator as PyTorch names it: "aten.add.Tensor", "aten.relu.default", "_operator.mul",
  // "higher_order.cond".
  const std::string& op() const { return op_; }
  const std::string& name() const { return name_; }

  // For an operator with a known schema: all of the schema's arguments in its order, defaults
  // filled in. Otherwise as the archive gave them.
  const std::vector<Argument>& args() const { return args_; }
  std::vector<Argument>& args() { return args_; }
  const Argument& arg(size_t i) const { return args_.at(i); }

  // Arguments by expected type; each requires that the argument holds it.
  Value* value(size_t i) const { return std::get<Value*>(args_.at(i)); }
  bool is_none(size_t i) const { return std::holds_alternative<None>(args_.at(i)); }

  // Its results. A Tensor[] result is all its elements, here as with several results.
  const std::vector<Value*>& outputs() const { return outputs_; }
  Value* output(size_t i = 0) const { return outputs_.at(i); }

  // Where it came from: the last Python frame, such as `File "m.py", line 3, in forward`, then the
  // line's text; empty when the archive has none. Nodes made by a pass inherit it.
  const std::string& stack_trace() const { return stack_trace_; }
  // The name of the archive's node that it came from.
  const std::string& origin() const { return origin_; }

 private:
  friend class Graph;
  std::string op_;
  std::string name_;
  std::vector<Argument> args_;
  std::vector<Value*> outputs_;
  std::string stack_trace_;
  std::string origin_;
  std::list<std::unique_ptr<Node>>::iterator position_;
};

// A list of nodes in topological order. Graphs of higher-order operators see only their own
// inputs, as in torch.export.
class Graph {
 public:
  Graph();
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  using NodeList = std::list<std::unique_ptr<Node>>;

  const std::vector<Value*>& inputs() const { return inputs_; }
  // Literals among them are literals here too.
  const std::vector<Argument>& outputs() const { return outputs_; }
  std::vector<Argument>& outputs() { return outputs_; }
  const NodeList& nodes() const { return nodes_; }

  // Names that are taken get a suffix.
  Value* add_input(const std::string& name, TensorType type);
  Value* add_input(const std::string& name, ValueKind kind, SymInt expression = 0);
  // Removes the inputs for which `unused` holds; they must not be used any more.
  void remove_inputs(const std::function<bool(const Value*)>& unused);

  // What a new node gets besides its operator and arguments.
  struct NodeOptions {
    Node* before = nullptr;        // null: at the end.
    const Node* origin = nullptr;  // stack trace and origin are copied from it.
    std::string stack_trace = {};  // used where origin is null.
    std::string name = {};         // "": derived from the operator.
  };
  Node* add_node(const std::string& op, std::vector<Argument> args, const NodeOptions& options);
  // Appends a result to a node. An empty name is derived from the node's.
  Value* add_output(Node* node, TensorType type, const std::string& name = "");
  Value* add_output(Node* node, ValueKind kind, SymInt expression, const std::string& name = "");

  // Its results must not be used any more.
  void erase(Node* node);
  // Makes a result of one node the next result of another, which its uses then mean; the node that
  // loses it must be erased.
  void move_output(Value* value, Node* to);
  // Orders the nodes by rank; those of one rank keep their order.
  void sort(const std::function<size_t(const Node*)>& rank);
  // Every use of `from`, in nodes and outputs of this graph, becomes `to`.
  void replace_all_uses(Value* from, Value* to);
  // Does several replacements in one walk over the graph; chains are followed.
  void replace_all_uses(const std::function<Value*(Value*)>& replacement);
  void rename(Value* value, const std::string& name);

  // Calls `visit` for each value that the argument holds (not null, not inside sub-graphs).
  static void for_each_value(const Argument& argument, const std::function<void(Value*)>& visit);
  static void for_each_value(Argument& argument, const std::function<void(Value*&)>& visit);
  // Calls `visit` for each sub-graph that the argument holds (not inside sub-graphs).
  static void for_each_graph(const Argument& argument,
                             const std::function<void(const std::shared_ptr<Graph>&)>& visit);

  // A deep copy, sub-graphs included. `map`, when given, receives the copy of each value.
  std::shared_ptr<Graph> clone(std::function<void(const Value*, Value*)> map = {}) const;

 private:
  Value* new_value(const std::string& name);

  std::vector<std::unique_ptr<Value>> values_;
  std::vector<Value*> inputs_;
  std::vector<Argument> outputs_;
  NodeList nodes_;
  // Taken names, and the last suffix tried.
  std::map<std::string, int> value_names_;
  std::map<std::string, int> node_names_;
};

}  // namespace slipway::ir
