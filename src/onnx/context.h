// What the rules of the registry work with: one node at a time, and the ONNX graph that grows.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/half.h"
#include "ir/arguments.h"
#include "ir/program.h"
#include "onnx/graph.h"
#include "onnx/lowering.h"

namespace slipway::onnx {

// A value of the ONNX graph. An empty name is an input that is left out.
struct Ref {
  std::string name;
  DType dtype = DType::kFloat32;
  bool present() const { return !name.empty(); }
};

using Refs = std::vector<Ref>;
using Sizes = std::vector<ir::SymInt>;
using Attributes = std::vector<std::pair<std::string, Attribute>>;

// Rules read arguments as ir/arguments.h says. Sizes and lists are looked at with at(): lower()
// makes one that is too short the node's failure. arguments.cc has what reads tensors, sizes.cc and
// constants.cc what makes them of numbers.
//
// Runtimes have kernels for few element types: op() computes 8- and 16-bit integers in int32 and
// converts back, which wraps around as PyTorch does.
//
// Where a node is computed in float32 for the sake of its half types
// (LoweringOptions::round_halves, or a number that the half type does not have), rules get float32
// values wherever they ask for the half type, and result() rounds.
class Context : public ir::ArgumentReader {
 public:
  Context(const ir::Program& program, const LoweringOptions& options);

  // ---- The node.
  const ir::Node& node() const { return *node_; }
  const LoweringOptions& options() const { return options_; }
  bool fused(const std::string& op_type) const { return options_.fused.contains(op_type); }
  const ir::SymbolRanges& ranges() const { return program_.ranges; }
  // Whether argument 0 is a buffer that nothing else reads, and that holds the first result after
  // the run.
  bool changes_buffer() const;
  // The nodes of the graph that read a value; null stands for who is outside of it.
  const std::vector<const ir::Node*>& readers(const ir::Value* value) const;
  // Says why this node can't be lowered. The first reason stays.
  void fail(std::string reason) override;

  // ---- Its arguments.
  Ref tensor(size_t i);
  Ref tensor(size_t i, DType dtype);     // converted
  Ref tensor_or_none(size_t i);          // absent for None
  Refs tensors(size_t i);                // absent for a None
  const ir::TensorType& type(size_t i);  // of a tensor
  int64_t rank(size_t i) { return static_cast<int64_t>(type(i).sizes.size()); }
  // What it holds, where it is a constant of the program; null for others.
  const ir::ConstantData* constant_data(size_t i) const;
  // A number as a 0-dim constant, or a tensor; converted. PyTorch rounds a number that it meets
  // with a half type before it computes, but for products and a few more.
  Ref operand(size_t i, DType dtype);
  using ArgumentReader::constant;
  // Argument i, a list of dimensions. None and [] are all, where `empty_is_all`, and else none.
  std::vector<int64_t> dims(size_t i, int64_t rank, bool empty_is_all);

  // ---- Its results.
  const ir::Value* output(size_t i = 0) const { return node_->output(i); }
  size_t output_count() const { return node_->outputs().size(); }
  const Sizes& sizes(size_t i = 0) const { return output(i)->sizes(); }
  using ArgumentReader::dtype;  // of an argument
  DType dtype() const { return output()->dtype(); }
  bool is_used(size_t i) const;
  void result(const Ref& ref, size_t i = 0);  // converted to the result's type

  // ---- Adding nodes. A result has the type of the first input unless one is given.
  Ref op(const char* op_type, Refs inputs, Attributes attributes = {},
         std::optional<DType> dtype = {});
  Refs ops(const char* op_type, const Refs& inputs, Attributes attributes,
           const std::vector<DType>& dtypes);

  Ref cast(const Ref& x, DType dtype);
  Ref add(const Ref& a, const Ref& b) { return op("Add", {a, b}); }
  Ref sub(const Ref& a, const Ref& b) { return op("Sub", {a, b}); }
  Ref mul(const Ref& a, const Ref& b) { return op("Mul", {a, b}); }
  Ref div(const Ref& a, const Ref& b) { return op("Div", {a, b}); }
  // With a constant of the tensor's type.
  Ref add(const Ref& a, double b) { return add(a, number_like(b, a)); }
  Ref sub(const Ref& a, double b) { return sub(a, number_like(b, a)); }
  Ref mul(const Ref& a, double b) { return mul(a, number_like(b, a)); }
  Ref div(const Ref& a, double b) { return div(a, number_like(b, a)); }
  Ref compare(const char* op_type, const Ref& a, const Ref& b) {
    return op(op_type, {a, b}, {}, DType::kBool);
  }
  Ref compare(const char* op_type, const Ref& a, double b) {
    return compare(op_type, a, number_like(b, a));
  }
  Ref logical_not(const Ref& x) { return op("Not", {x}); }
  Ref where(const Ref& condition, const Ref& a, const Ref& b);

  Ref reshape(const Ref& x, const Sizes& from, const Sizes& to);
  Ref transpose(const Ref& x, const std::vector<int64_t>& order);
  Ref unsqueeze(const Ref& x, const std::vector<int64_t>& axes);
  Ref squeeze(const Ref& x, const std::vector<int64_t>& axes);
  Ref expand(const Ref& x, const Sizes& from, const Sizes& to);
  Ref concat(const Refs& parts, int64_t axis);
  // start and end are within the dimension or beyond its end; step is positive.
  Ref slice(const Ref& x, int64_t axis, const ir::SymInt& start, const ir::SymInt& end,
            int64_t step = 1);
  Ref gather(const Ref& x, const Ref& index, int64_t axis);
  Ref reduce(const char* op_type, const Ref& x, const std::vector<int64_t>& axes, bool keepdims);
  // 0, 1, ..., count - 1 as int64.
  Ref range(const ir::SymInt& count);

  // ---- Constants and sizes.
  Ref number_like(double value, const Ref& like) { return scalar(value, like.dtype); }
  Ref scalar(double value, DType dtype);
  Ref scalar(int64_t value, DType dtype);
  Ref ints(const std::vector<int64_t>& values);  // int64[n]
  Ref constant(DType dtype, std::vector<int64_t> sizes, std::vector<std::byte> bytes);
  // A size as int64[1], as int64[], and several as int64[n].
  Ref length(const ir::SymInt& value);
  Ref scalar_length(const ir::SymInt& value);
  Ref shape(const Sizes& sizes);

  // ---- The graph as a whole, for lower().
  void add_input(const ir::Value* value, const std::string& name);
  void bind(const ir::Value* value, const Ref& ref);
  // Finds a value; constants of the program become initializers at their first use.
  Ref find(const ir::Value* value);
  // Makes the value an output of the graph, under its own name where it can have it.
  void add_output(const Ref& ref, const std::string& name, DType dtype, Sizes sizes);
  const std::string& last_output() const { return graph_.outputs.back().name; }
  // Applies the registry's rule; failures are collected.
  void lower(const ir::Node& node);
  // `reader`: as readers() has it.
  void mark_used(const ir::Value* value, const ir::Node* reader);
  // The body of a branch: nodes emitted by `body` go into a graph of their own.
  std::shared_ptr<Graph> sub_graph(const ir::Graph& graph, const Refs& inputs);

  const std::vector<std::string>& failures() const { return failures_; }
  const std::vector<std::string>& reasons() const { return reasons_; }
  Graph take_graph();
  std::string fresh(const std::string& name);

 private:
  void emit(const char* op_type, const Refs& inputs, Attributes attributes, const Refs& outputs);
  void rename(const std::string& from, const std::string& to);
  // half_types.cc
  bool is_computed_wide(DType dtype) const;
  bool needs_float32() const;
  Ref widened(const Ref& x);
  Ref rounded(const Ref& x, DType half);
  void note_halves(const Node& node, const Refs& inputs, const Refs& outputs);
  void note_number(const std::string& name, double value);

  Ref convert(const Ref& x, DType dtype);  // whatever the node is computed in

  void define_symbols(const Ref& ref, const Sizes& sizes, bool solve);
  Ref dimension(const Ref& ref, size_t axis);
  Ref symbol(const std::string& name);
  Ref call(const ir::SymInt::Factor& factor);
  Ref scale(const ir::SymInt& a, double factor);

  const ir::Program& program_;
  const LoweringOptions& options_;
  Graph graph_;
  std::vector<Node>* nodes_ = &graph_.nodes;
  std::unordered_map<const ir::Value*, Ref> bound_;
  std::map<const ir::Value*, std::vector<const ir::Node*>> readers_;  // of values that are used
  std::set<std::string> taken_;
  std::map<std::string, int> suffixes_;
  std::map<std::tuple<DType, std::vector<int64_t>, std::string>, std::string> constant_names_;

  // A symbol is (the tensor's dimension - offset) / coefficient, or an int64[1] itself.
  struct SymbolSource {
    Ref tensor;
    int64_t axis = -1;
    int64_t coefficient = 1;
    int64_t offset = 0;
  };
  std::map<std::string, SymbolSource> symbols_;
  std::map<ir::SymInt, SymbolSource> scaled_sizes_;  // of tensors that have one for a dimension
  std::map<ir::SymInt, Ref> lengths_;
  std::map<std::string, Ref> shapes_;

  bool is_wide_ = false;                          // node_ is computed in float32
  std::unordered_map<std::string, Ref> widened_;  // half values in float32
  // Float32 values that are known to be values of half types: a bit for each of these.
  std::unordered_map<std::string, uint8_t> halves_;

  size_t node_start_ = 0;         // where the nodes of node_ start in *nodes_
  std::set<std::string> pinned_;  // names that may not change any more
  std::optional<std::string> reason_;
  std::vector<std::string> failures_;
  std::vector<std::string> reasons_;
};

// One element's bytes. Integers take the nearest value that they have; they wrap around from int64.
std::vector<std::byte> encode(double value, DType dtype);
std::vector<std::byte> encode(int64_t value, DType dtype);

}  // namespace slipway::onnx
