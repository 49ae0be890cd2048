// The intervals of a program's numbers.
#pragma once

#include <optional>
#include <unordered_map>

#include "ir/graph.h"
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

}  // namespace slipway::partition
