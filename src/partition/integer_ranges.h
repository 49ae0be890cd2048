// What the integers of a program can be, as far as the program itself shows it. Engines that
// compute integers in fewer bits ask here whether that is exact.
#pragma once

#include <unordered_set>

#include "ir/program.h"
#include "partition/intervals.h"

namespace slipway::partition {

class IntegerRanges {
 public:
  // Walks the program's graph once; the data of constants is read, up to a limit. `program` must
  // outlive this.
  explicit IntegerRanges(const ir::Program& program);

  // A node that the program gained since, after those that it needs.
  void add(const ir::Node& node);

  // Of the elements of an integer or bool tensor, or of a number. An end that is not known is
  // absent; a type's own ends are known (an int32 is within 32 bits). Of values within sub-graphs
  // only those are.
  ir::Range of(const ir::Value* value) const;

  // Whether every use of the tensor, also of what views and copies make of it, reads it as an index
  // into a dimension: values that don't fit there are errors in PyTorch too.
  bool is_index(const ir::Value* value) const { return indices_.contains(value); }

 private:
  Intervals intervals_;
  std::unordered_set<const ir::Value*> indices_;
};

}  // namespace slipway::partition
