// What the rules of ONNX operators work with: one node at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cuda/builder/generator.h"
#include "cuda/builder/kernel.h"
#include "cuda/builder/value.h"
#include "onnx/attributes.h"
#include "onnx/graph.h"

namespace slipway::cuda {

class Rule {
 public:
  Rule(Generator& generator, const onnx::Node& node) : generator_(generator), node_(node) {}

  Generator& generator() { return generator_; }
  const onnx::Node& node() const { return node_; }
  void fail(std::string reason) { generator_.fail(std::move(reason)); }

  // ---- The node's inputs.
  size_t input_count() const { return node_.inputs.size(); }
  bool has(size_t i) const { return i < node_.inputs.size() && !node_.inputs[i].empty(); }
  Value& input(size_t i) { return generator_.value(node_.inputs.at(i)); }
  // Integers that are known before a call, or from sizes; where they aren't, the rule ends and the
  // node is refused.
  std::vector<ir::SymInt> integers(size_t i);
  std::vector<int64_t> constants(size_t i);
  // The elements of a constant.
  std::optional<std::vector<double>> reals(size_t i) { return reals(input(i)); }
  // The same, or what they are converted to as float32.
  std::optional<std::vector<double>> reals(const Value& value) const;

  // ---- Its attributes.
  template <class T>
  auto attribute(std::string_view name, T otherwise) const {
    return onnx::attribute(node_, name, std::move(otherwise));
  }
  std::vector<std::string> texts(std::string_view name) const {
    return attribute(name, std::vector<std::string>());
  }
  // Counted from the front.
  size_t axis(int64_t axis, size_t rank);

  // ---- Its results.
  bool is_used(size_t i) const { return i < node_.outputs.size() && !node_.outputs[i].empty(); }
  Value& output(size_t i) { return generator_.value(node_.outputs.at(i)); }
  DType dtype(size_t i = 0) const { return generator_.types().at(node_.outputs.at(i)); }
  // The sizes that the program says it has, where these are known.
  Sizes declared(size_t i, Sizes otherwise) const;
  // Result i, by an expression of its element. `operands` are what it reads. A pointwise one reads
  // operands of its own sizes at its own indices only.
  enum class Kind { kPointwise, kMove };
  Value& define(size_t i, Sizes sizes, std::vector<Value*> operands, Kind kind, int weight,
                Definition definition);
  // Result 0, by an expression of one element of each operand, which are broadcast to each other.
  Value& define_pointwise(const std::vector<Value*>& operands, int weight, Expression expression);
  // By a kernel. `again`: those of the operands of which elements are read many times.
  Value& define_root(size_t i, Sizes sizes, const std::vector<Value*>& operands,
                     const std::vector<Value*>& again,
                     std::function<void(Kernel&, const Store&)> emit);
  // By kernels that the rule launches itself.
  Value& define_memory(size_t i, Sizes sizes, const std::vector<Value*>& operands,
                       const std::vector<Value*>& again);
  Value& define_integers(size_t i, Sizes sizes, std::vector<ir::SymInt> elements);

 private:
  [[noreturn]] void give_up(std::string reason);
  bool is_narrow_number(size_t i, DType type);
  std::optional<DType> narrow();
  Value& result(size_t i, Sizes sizes);

  Generator& generator_;
  const onnx::Node& node_;
};

// Writes kernels for those operands that a kernel can't compute while it reads them, or should not:
// those of `again` are read many times.
void settle(Generator& generator, const std::vector<Value*>& operands,
            const std::vector<Value*>& again);

Sizes broadcast(const Sizes& a, const Sizes& b);
// Of an operand that is broadcast to the sizes that `at` is for.
Indices aligned(const Indices& at, const Value& operand);
using ir::numel;

// Result 0 is input 0.
void keep_elements(Rule& r);

// Add, Sub, Mul, Div, Mod, Min, Max and Pow of what is in memory.
void compute_pointwise(Rule& r);

struct Entry {
  const char* op_types;  // separated by spaces
  void (*rule)(Rule&);
};
std::span<const Entry> pointwise_rules();
std::span<const Entry> conversion_rules();
std::span<const Entry> size_rules();
std::span<const Entry> move_rules();
std::span<const Entry> index_rules();
std::span<const Entry> scatter_rules();
std::span<const Entry> reduction_rules();
std::span<const Entry> row_rules();
std::span<const Entry> sort_rules();
std::span<const Entry> product_rules();
std::span<const Entry> window_rules();
std::span<const Entry> resampling_rules();
std::span<const Entry> recurrent_rules();

const Entry* find_entry(const std::string& op_type);
// Whether its element is computed of one of each operand, at the same place but for what is
// broadcast.
bool is_pointwise(const std::string& op_type);

}  // namespace slipway::cuda
