// Turns a lowered graph into one for XNNPACK, node by node.
//
// XNNPACK convolves and pools with the channels last. A tensor of three or four dimensions is held
// in one layout or the other, or both, and brought into another where a node asks for it: what lies
// between two convolutions stays as they leave it.
//
// What is quantized is held as it is, in int8: dequantization makes another name for it, and
// float32 of it where a node asks for that. A node that computes in 8 bits is one with the nodes
// behind it that limit and quantize its result. Halves are held as they are, too: a Cast to them
// rounds, and one back makes another name.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "engine_build/builder.h"
#include "ir/sym_int.h"
#include "onnx/attributes.h"
#include "onnx/graph.h"
#include "onnx/value_types.h"
#include "xnnpack/builder/writer.h"

namespace slipway::xnnpack {

using Dims = std::vector<ir::SymInt>;

// kLast: [n, h, w, c], and [n, 1, w, c] of [n, c, w].
enum class Layout : uint8_t { kPlain, kLast };

struct Value {
  Dims sizes;  // as the program has them
  std::optional<View> constant;
  std::array<uint32_t, 2> ids = {kNone, kNone};  // of each layout
  // How it is held; where that is not float32, what it stands for, where a node has asked.
  Type type = {};
  std::array<uint32_t, 2> floats = {kNone, kNone};
  // It stands for what it holds rounded to int8 by the extrema of each row, as products take it;
  // the ids of that, and of 0 or NaN for each row, once they are there.
  bool is_rounded = false;
  uint32_t rows = kNone;
  uint32_t faults = kNone;

  size_t rank() const { return sizes.size(); }
  bool has(Layout layout) const { return ids[static_cast<size_t>(layout)] != kNone; }
  uint32_t& id(Layout layout) { return ids[static_cast<size_t>(layout)]; }
  // Held with the channels last and in no other way.
  bool is_last() const { return has(Layout::kLast) && !has(Layout::kPlain); }
};

// What a node and those behind it make in 8 bits.
struct Quantized {
  Value& value;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();

  // Whether there are limits above those of the type.
  bool is_limited() const;
};

class Translator {
 public:
  // `graph` stays where it is.
  Translator(const onnx::Graph& graph, bool allow_reduced_precision);

  // The nodes that XNNPACK does not compute, and why.
  std::vector<engine_build::Refusal> run();
  // After run() without refusals.
  Writer& writer() { return writer_; }

  // ---- For rules: of the node that is translated.
  const onnx::Node& node() const { return *node_; }
  // Ends the rule.
  [[noreturn]] static void refuse(std::string reason);
  bool has(size_t i) const { return i < node_->inputs.size() && !node_->inputs[i].empty(); }
  Value& input(size_t i);  // of float32
  // Of float32 or a half type.
  Value& float_input(size_t i);
  DType result_type() const { return types_.at(node_->outputs.front()); }
  // What a constant input holds.
  std::vector<int64_t> integers(size_t i);
  std::optional<float> number(size_t i) const;
  std::vector<float> numbers(const onnx::Node& node, size_t i);
  // Whether a constant input has no dimensions.
  bool is_scalar(size_t i) const;
  template <class T>
  auto attribute(std::string_view name, T otherwise) const {
    return onnx::attribute(*node_, name, std::move(otherwise));
  }
  // Counted from the front.
  static size_t axis(int64_t axis, size_t rank);
  // The node that alone reads what this one makes, where it is of a kind and nothing else reads it.
  const onnx::Node* only_reader(std::string_view op_type) const;
  const onnx::Node* only_reader(const onnx::Node& node) const;
  // Says that it has been translated with this one.
  void join(const onnx::Node& reader) { joined_.insert(&reader); }
  // What a node gives.
  Value& result_of(const onnx::Node& node) { return values_[node.outputs.front()]; }
  // The only result.
  Value& define(Dims sizes) { return define(0, std::move(sizes)); }
  Value& define(size_t i, Dims sizes) { return define(*node_, i, std::move(sizes)); }
  // Of an operand whose elements are moved: held as that is.
  Value& define_moved(const Value& operand, Dims sizes, size_t i = 0);
  // A size that is the same in every call.
  static int64_t known(const ir::SymInt& size);
  // The largest sizes, which the graph declares.
  Sizes most(const Dims& sizes) const;
  // The sizes that the program says result i has, or nothing.
  const Dims* declared(size_t i) const;

  // ---- What is quantized.
  // By what a node quantizes to int8 or dequantizes it; nothing where that is not known or not one
  // for the tensor.
  std::optional<Quantization> quantization_of(const onnx::Node& node) const;
  // What the readers of a node's result make of it in 8 bits, where nothing else reads it: they
  // limit, quantize, dequantize and quantize it again, and are translated with the node.
  // `fits`: whether XNNPACK computes the node with this quantization of its result.
  template <class Fits>
  std::optional<Quantized> quantized(const Dims& sizes, const Fits& fits) {
    const auto tail = find_tail();
    if (!tail || !fits(tail->quantization)) return std::nullopt;
    return join_tail(*tail, sizes);
  }
  // The value of int8 that a node reads.
  Value& quantized_input(size_t i);
  // A constant input of int8.
  const onnx::Initializer* levels(size_t i) const { return constant(*node_, i, DType::kInt8); }
  // Those of a constant input; none where it is left out.
  std::vector<float> floats(size_t i) { return has(i) ? numbers(*node_, i) : std::vector<float>(); }
  // The node's result is another name of the value.
  void alias(const onnx::Node& node, const std::string& value);

  // ---- Values.
  // The id of what holds the value so, in float32.
  uint32_t get(Value& value, Layout layout);
  // In its own type.
  uint32_t held(Value& value, Layout layout);
  // Of one that stands for rounded rows: as it is, and quantized.
  static uint32_t unrounded(const Value& value) { return value.ids.front(); }
  uint32_t rows_of(Value& value);
  // NaN for each row that has NaN or an infinity, and 0 for others.
  uint32_t faults_of(Value& value);
  bool allows_reduced_precision() const { return reduced_; }
  // To be broadcast to so many dimensions, which only constants need not have.
  uint32_t get_broadcast(Value& value, Layout layout, size_t rank);
  // The id of what a node is to make.
  uint32_t make(Value& value, Layout layout);
  static bool has_layout(const Value& value, Layout layout) {
    return layout == Layout::kPlain || value.rank() == 3 || value.rank() == 4;
  }
  // The layout in which the node's result is made of this operand without more ado.
  static Layout layout_of(const Value& value) {
    return value.is_last() ? Layout::kLast : Layout::kPlain;
  }
  // What nodes read that do not pack it, as weights and biases are packed: ExecuTorch frees the
  // graph once it has prepared it, so that a call makes such constants, of a product with 0.
  uint32_t computed(const View& view, const Sizes& dims);
  uint32_t number_of(float number) { return numbers_of({number}, {1}); }
  uint32_t numbers_of(const std::vector<float>& items, const Sizes& dims) {
    const Sizes sizes = {static_cast<int64_t>(items.size())};
    return computed({nullptr, sizes, {1}, bytes_of(items)}, dims);
  }
  // A tensor that no value of the program is.
  uint32_t temporary(const Dims& sizes, const Type& type = {}) {
    return writer_.tensor(most(sizes), type);
  }
  // In the order that the elements have already, in other sizes, of which one may vary.
  void reshape(uint32_t from, const Dims& sizes, uint32_t to);
  static Dims sizes_in(const Dims& sizes, Layout layout);
  // Where a dimension is in a layout.
  static size_t axis_in(size_t axis, size_t rank, Layout layout);

 private:
  // A constant input of a type, or null; of float32 also halves.
  const onnx::Initializer* constant(const onnx::Node& node, size_t i, DType dtype) const;
  // The nodes behind one that are computed with it in 8 bits.
  struct Tail {
    std::vector<const onnx::Node*> nodes;
    Quantization quantization;
    float low;
    float high;
  };
  std::optional<Tail> find_tail() const;
  Quantized join_tail(const Tail& tail, const Dims& sizes);
  std::optional<std::pair<float, float>> limits_of(const onnx::Node& node) const;
  std::optional<float> number(const onnx::Node& node, size_t i) const;
  std::optional<int> level(const onnx::Node& node, size_t i) const;
  // Of an input of the graph that is int8: what its readers say.
  std::optional<Quantization> quantization_of_input(const std::string& name) const;
  Value* find_value(const std::string& name);
  Value& define(const onnx::Node& node, size_t i, Dims sizes);
  void give_output(size_t i);
  // The ATen node that makes a value.
  std::string origin_of(const std::string& name) const;
  uint32_t zero();
  void convert(Value& value, Layout to);

  const onnx::Graph& graph_;
  const bool reduced_;
  const onnx::ValueTypes types_;
  std::unordered_map<std::string, Value> values_;
  std::unordered_map<std::string, std::string> aliases_;  // by other names of values
  std::unordered_map<std::string, const onnx::Initializer*> initializers_;
  std::unordered_map<std::string, const Dims*> declared_;
  std::map<std::string, int64_t> largest_;             // of symbols
  std::unordered_map<const Value*, uint32_t> places_;  // of outputs that no node makes yet
  Writer writer_;
  std::unordered_map<std::string, std::vector<const onnx::Node*>> readers_;  // null: the outside
  std::unordered_set<const onnx::Node*> joined_;
  std::vector<std::pair<View, uint32_t>> computed_;
  uint32_t zero_ = kNone;
  const onnx::Node* node_ = nullptr;
  std::unordered_map<std::string, const char*>
      reasons_;  // of inputs that are no tensors for XNNPACK
};

// Of constants: a size that varies is none.
bool is_one(const ir::SymInt& size);
// Of a single pixel or a single channel: the elements lie in one order in either layout.
bool is_flat(const Dims& sizes);
Dims dims_of(const Sizes& sizes);

struct Entry {
  const char* op_type;
  void (*rule)(Translator&);
};
std::span<const Entry> pointwise_rules();
std::span<const Entry> window_rules();
std::span<const Entry> move_rules();
std::span<const Entry> product_rules();
std::span<const Entry> quantized_rules();

// Limits an operand as the node does, where operand and result are quantized alike; else false.
bool limit(Translator& t, Value& x);

// Whether the weight stays in int8: its scales are of its outputs, or there is one.
bool has_levels(const View& weight, size_t outputs_dim);
// Whether XNNPACK multiplies what is quantized `from` to give what is quantized `to`.
bool can_multiply(const View& weight, const std::vector<float>& bias, const Quantization& from,
                  const Quantization& to);
uint32_t levels_of(Writer& writer, const View& weight, const Sizes& sizes, size_t outputs_dim);
// A bias in the steps of the sums that it is added to; kNone for none.
uint32_t steps_of(Writer& writer, const std::vector<float>& bias, const View& weight,
                  const Quantization& from);

}  // namespace slipway::xnnpack
