// What a decomposition sees of its node, and with what it builds.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ir/arguments.h"
#include "ir/op_builder.h"

namespace slipway::passes::decompositions {

// One node under decomposition, whose arguments are read as ir/arguments.h says.
class Context : public ir::ArgumentReader {
 public:
  Context(ir::Graph& graph, ir::Node* node, const ir::SymbolRanges& ranges)
      : ArgumentReader(node), build(graph, node, node), replaced_(node), ranges_(ranges) {}

  ir::OpBuilder build;

  ir::Node& node() const { return *replaced_; }
  const std::string& op() const { return node_->op(); }
  ir::Value* output(size_t i = 0) const { return node_->output(i); }
  size_t output_count() const { return node_->outputs().size(); }
  // Of output 0.
  const std::vector<ir::SymInt>& sizes() const { return output()->sizes(); }
  using ArgumentReader::dtype;  // of an argument
  DType dtype() const { return output()->dtype(); }

  // A number where a tensor is expected becomes a 0-dim tensor.
  ir::Value* tensor(size_t i);
  ir::Value* tensor_or_null(size_t i);
  std::vector<ir::Value*> tensors(size_t i);  // null for a None, where the schema admits one
  ir::Scalar scalar(size_t i);
  // Whether nodes may be made for each of so many, of which `what` says in the plural what they
  // are. If not, this is unsupported(), and `remedy` says what to do instead.
  bool may_unroll(int64_t count, const char* what, const char* remedy, int64_t most = 4096);

  // Whether something is known to hold for all sizes that the program admits.
  bool known_equal(const ir::SymInt& a, const ir::SymInt& b) const { return a == b; }
  ir::Range bounds(const ir::SymInt& value) const { return value.bounds(ranges_); }
  const ir::SymbolRanges& ranges() const { return ranges_; }
  // Whether a size may be 0.
  bool may_be_empty(const ir::SymInt& size) const { return bounds(size).min.value_or(0) < 1; }

  // The dimensions of x, but for some, that may be 0.
  std::vector<int64_t> maybe_empty(const ir::Value* x, const std::vector<int64_t>& but_for) const;
  // The tensor, unless `failed`, a bool, holds when the program runs, which then is an error: no
  // such element is there to be read.
  ir::Value* unless(ir::Value* failed, ir::Value* x);
  // Makes dimensions one larger, by elements of this value.
  ir::Value* grow(ir::Value* x, const std::vector<int64_t>& dims, double value);

  // States that this node can't be expressed, and why or what would help. The first reason stays.
  std::vector<ir::Value*> unsupported(std::string reason);
  void fail(std::string reason) override { unsupported(std::move(reason)); }
  const std::optional<std::string>& reason() const { return reason_; }

 private:
  // The type of a number beside tensors: the result's.
  DType floating_number() const;

  ir::Node* replaced_;
  const ir::SymbolRanges& ranges_;
  std::optional<std::string> reason_;
};

// The number that a floating point type has for this one.
double rounded_to(double number, DType dtype);
// Whether 0.0 is added to the value to make it, which leaves no -0.0.
bool adds_zero(const ir::Value* value);
// What is less than or equal to every number of the type.
ir::Scalar lowest(DType dtype);
// What no number of the type is larger than.
ir::Scalar highest(DType dtype);

// A list's last elements, and those before them. As at() does, these throw std::out_of_range for a
// list that is too short, such as the sizes of a tensor that has too few dimensions: a file may say
// anything. apply() of registry.h makes it the node's error.
std::vector<ir::SymInt> last(const std::vector<ir::SymInt>& list, size_t count);
std::vector<ir::SymInt> without_last(const std::vector<ir::SymInt>& list, size_t count);
inline const ir::SymInt& last(const std::vector<ir::SymInt>& list) {
  return list.at(list.size() - 1);
}

}  // namespace slipway::passes::decompositions
