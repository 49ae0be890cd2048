// Operators on one element of a batch as operators on the whole batch, for vmap.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ir/op_builder.h"
#include "ir/program.h"

namespace slipway::passes {

// The batch of one vmap: of each value that is an element of it, the whole, whose first dimension
// is the batch.
struct Batch {
  ir::SymInt size;
  std::unordered_map<const ir::Value*, ir::Value*> whole;

  bool holds(const ir::Value* value) const { return whole.contains(value); }
};

// A node that is given elements of a batch, and what builds its operator on the whole in front of
// it. Ranks and sizes are those of elements unless said otherwise.
class Batched {
 public:
  using Values = std::vector<ir::Value*>;

  Batched(ir::Graph& graph, ir::Node* node, const Batch& batch);

  ir::OpBuilder build;

  const ir::Node& node() const { return *node_; }
  const Batch& batch() const { return batch_; }
  ir::Value* output() const { return node_->output(); }
  std::string_view name() const { return name_; }
  // Null for what is no tensor.
  ir::Value* tensor(size_t i) const;
  bool is_batched(const ir::Value* value) const { return value && batch_.holds(value); }
  // For rules that need it: std::out_of_range for what is no tensor, which makes them unfit.
  ir::Value* operand(size_t i) const;
  // Whether no argument but this one has elements of the batch.
  bool only_batched(size_t i) const;

  // The batch in front of an element's sizes.
  std::vector<ir::SymInt> sizes_of(const ir::Value* element) const;
  ir::TensorType type_of(const ir::Value* element) const;
  // The whole of an element; any other value as it is.
  ir::Value* whole(ir::Value* value) const;
  // The whole, of an element as if it had this rank, by sizes of 1 in front; any other value as it
  // is, since it lies at the right of it.
  ir::Value* aligned(ir::Value* value, int64_t rank);
  // Sizes of 1 behind the batch of what is whole.
  ir::Value* with_ones(ir::Value* whole, int64_t count);
  // The whole; of any other value as many copies as the batch has elements.
  ir::Value* repeated(ir::Value* value);
  // The places of the elements in the batch, with so many sizes of 1 behind.
  ir::Value* places(int64_t behind);

  // The node's arguments with other tensors.
  std::vector<ir::Argument> with(const std::function<ir::Value*(ir::Value*)>& change) const;
  // The node's operator with these arguments, on the whole.
  Values same(std::vector<ir::Argument> args);
  // The same with the wholes of the arguments that are elements, and others as they are.
  Values on_wholes();
  // An operator whose only result is the whole of the node's.
  Values call(const char* op, std::vector<ir::Argument> args);

 private:
  ir::Node* node_;
  const Batch& batch_;
  std::string_view name_;
};

// The value with this dimension in front of the others.
ir::Value* moved_first(ir::OpBuilder& build, ir::Value* x, int64_t dim);

// A rule gives the wholes of a node's results; none where it doesn't fit the node.
using BatchingRule = Batched::Values (*)(Batched&);
struct BatchingEntry {
  std::string_view names;  // without "aten.", with or without the overload, between spaces
  BatchingRule rule;
};
// A family each, beside its rules. Entries with an overload go before those without.
const std::vector<BatchingEntry>& batched_elements();
const std::vector<BatchingEntry>& batched_dimensions();
const std::vector<BatchingEntry>& batched_indices();
const std::vector<BatchingEntry>& batched_products();

// The wholes of a node's results: by a rule, or else by a loop over the batch, which is exact for
// every functional operator whose results are tensors; null where a loop has a result that nothing
// uses. Requires that there are elements of the
// batch among its arguments, and no others than tensors among its values.
Result<std::vector<ir::Value*>> apply_to_batch(ir::Graph& graph, ir::Node* node,
                                               const Batch& batch);

}  // namespace slipway::passes
