// What operators make of the ranges of their operands.
#pragma once

#include <optional>
#include <unordered_map>

#include "ir/program.h"
#include "partition/interval.h"

namespace slipway::partition {

// What is known so far of a program's numbers. Floats are followed because indices are computed
// with them.
class Intervals {
 public:
  explicit Intervals(const ir::SymbolRanges& symbols) : symbols_(symbols) {}

  // Without effect where the type does not hold the whole interval: what wraps or is rounded may be
  // anything.
  void set(const ir::Value* value, const Interval& interval);
  // Of a tensor or number: an integer's is its type's at worst, and of floats it may be missing.
  std::optional<Interval> of(const ir::Value* value) const;
  // Of an argument: a tensor, a list of tensors together, or a number.
  std::optional<Interval> of(const ir::Argument& argument) const;
  Interval of(const ir::SymInt& expression) const;

 private:
  const ir::SymbolRanges& symbols_;
  std::unordered_map<const ir::Value*, Interval> known_;
};

// The interval of a node's result, before it wraps; nothing where no rule says it. The node's
// arguments need not fit its operator.
std::optional<Interval> result_interval(const ir::Node& node, size_t result,
                                        const Intervals& intervals);

// Whether the node's results are elements of its first argument, a tensor or a list of such, and
// nothing else.
bool only_moves(const ir::Node& node);

}  // namespace slipway::partition
