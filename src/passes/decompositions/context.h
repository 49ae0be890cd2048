// What a decomposition sees of its node, and with what it builds.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/op_builder.h"

namespace slipway::passes::decompositions {

// One node under decomposition. Arguments are read by their index in the operator's schema; one
// that does not hold what is asked for makes error() set and gives an empty value, so that a rule
// may go on and be checked once at its end.
class Context {
 public:
  Context(ir::Graph& graph, ir::Node* node, const ir::SymbolRanges& ranges)
      : build(graph, node, node), node_(node), ranges_(ranges) {}

  ir::OpBuilder build;

  ir::Node& node() const { return *node_; }
  const std::string& op() const { return node_->op(); }
  ir::Value* output(size_t i = 0) const { return node_->output(i); }
  size_t output_count() const { return node_->outputs().size(); }
  // Of output 0.
  const std::vector<ir::SymInt>& sizes() const { return output()->sizes(); }
  DType dtype() const { return output()->dtype(); }

  const ir::Argument& arg(size_t i) const;
  bool has(size_t i) const;  // there, and not None

  // A number where a tensor is expected becomes a 0-dim tensor.
  ir::Value* tensor(size_t i);
  ir::Value* tensor_or_null(size_t i);
  bool is_tensor(size_t i) const;
  std::vector<ir::Value*> tensors(size_t i);  // null for a None
  ir::SymInt integer(size_t i);
  std::vector<ir::SymInt> integers(size_t i);  // a lone integer is a list of one
  int64_t constant(size_t i);                  // an integer that must be known
  std::vector<int64_t> constants(size_t i);
  double number(size_t i);
  std::vector<double> numbers(size_t i);
  bool flag(size_t i);
  ir::Scalar scalar(size_t i);
  std::string text(size_t i);
  std::optional<DType> dtype_at(size_t i);

  // The dimension counted from the front, for a tensor of this rank; a 0-dim tensor counts as one
  // of rank 1, as in PyTorch.
  int64_t dim(int64_t dim, int64_t rank);
  std::vector<int64_t> dims(const std::vector<int64_t>& dims, int64_t rank);
  // The value of an expression that must be known; `what` says what it is, for the message.
  int64_t known(const ir::SymInt& value, const char* what);

  // Whether something is known to hold for all sizes that the program admits.
  bool known_equal(const ir::SymInt& a, const ir::SymInt& b) const { return a == b; }
  ir::Range bounds(const ir::SymInt& value) const { return value.bounds(ranges_); }
  // Whether a size may be 0.
  bool may_be_empty(const ir::SymInt& size) const { return bounds(size).min.value_or(0) < 1; }

  // The dimensions of x, but for some, that may be 0.
  std::vector<int64_t> maybe_empty(const ir::Value* x, const std::vector<int64_t>& but_for) const;
  // Makes dimensions one larger, by elements of this value.
  ir::Value* grow(ir::Value* x, const std::vector<int64_t>& dims, double value);

  // States that this node can't be expressed, and why or what would help. The first reason stays.
  std::vector<ir::Value*> unsupported(std::string reason);
  const std::optional<std::string>& reason() const { return reason_; }

 private:
  ir::Node* node_;
  const ir::SymbolRanges& ranges_;
  std::optional<std::string> reason_;
};

// The number that a floating point type has for this one.
double rounded_to(double number, DType dtype);
// What is less than or equal to every number of the type.
ir::Scalar lowest(DType dtype);

// A list's last elements, and those before them. As at() does, these throw std::out_of_range for a
// list that is too short, such as the sizes of a tensor that has too few dimensions: a file may say
// anything. apply() of registry.h makes it the node's error.
std::vector<ir::SymInt> last(const std::vector<ir::SymInt>& list, size_t count);
std::vector<ir::SymInt> without_last(const std::vector<ir::SymInt>& list, size_t count);
inline const ir::SymInt& last(const std::vector<ir::SymInt>& list) {
  return list.at(list.size() - 1);
}

}  // namespace slipway::passes::decompositions
