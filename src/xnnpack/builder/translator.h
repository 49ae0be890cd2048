// Turns a lowered graph into one for XNNPACK, node by node.
//
// XNNPACK convolves and pools with the channels last. A tensor of three or four dimensions is held
// in one layout or the other, or both, and brought into another where a node asks for it: what lies
// between two convolutions stays as they leave it.
#pragma once

#include <array>
#include <cstdint>
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

  size_t rank() const { return sizes.size(); }
  bool has(Layout layout) const { return ids[static_cast<size_t>(layout)] != kNone; }
  uint32_t& id(Layout layout) { return ids[static_cast<size_t>(layout)]; }
  // Held with the channels last and in no other way.
  bool is_last() const { return has(Layout::kLast) && !has(Layout::kPlain); }
};

class Translator {
 public:
  // `graph` stays where it is.
  explicit Translator(const onnx::Graph& graph);

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
  // What a constant input holds.
  std::vector<int64_t> integers(size_t i);
  std::optional<float> number(size_t i);
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
  // Says that it has been translated with this one.
  void join(const onnx::Node& reader) { joined_.insert(&reader); }
  bool is_joined() const { return joined_.contains(node_); }
  // What a node gives.
  Value& result_of(const onnx::Node& node) { return values_[node.outputs.front()]; }
  // The only result.
  Value& define(Dims sizes) { return define(0, std::move(sizes)); }
  Value& define(size_t i, Dims sizes);
  // A size that is the same in every call.
  static int64_t known(const ir::SymInt& size);
  // The largest sizes, which the graph declares.
  Sizes most(const Dims& sizes) const;
  // The sizes that the program says result i has, or nothing.
  const Dims* declared(size_t i) const;

  // ---- Values.
  // The id of what holds the value so.
  uint32_t get(Value& value, Layout layout);
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
  uint32_t numbers_of(std::vector<float> items, const Sizes& dims) {
    const Sizes sizes = {static_cast<int64_t>(items.size())};
    return computed({nullptr, sizes, {1}, own(std::move(items))}, dims);
  }
  // A tensor that no value of the program is.
  uint32_t temporary(const Dims& sizes) { return writer_.tensor(most(sizes)); }
  // In the order that the elements have already, in other sizes, of which one may vary.
  void reshape(uint32_t from, const Dims& sizes, uint32_t to);
  static Dims sizes_in(const Dims& sizes, Layout layout);
  // Where a dimension is in a layout.
  static size_t axis_in(size_t axis, size_t rank, Layout layout);

 private:
  // A constant input of a type, or null.
  const onnx::Initializer* constant(const onnx::Node& node, size_t i, DType dtype) const;
  void give_output(size_t i);
  // The ATen node that makes a value.
  std::string origin_of(const std::string& name) const;
  uint32_t zero();
  void convert(Value& value, Layout to);

  const onnx::Graph& graph_;
  const onnx::ValueTypes types_;
  std::unordered_map<std::string, Value> values_;
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

}  // namespace slipway::xnnpack
