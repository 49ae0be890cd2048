// Positions along a dimension.
#pragma once

#include "ir/sym_int.h"

namespace slipway::ir {

// A position that counts from the end where it is negative, counted from the front. One that is not
// within the size gives a place that is.
inline SymInt from_front(const SymInt& position, const SymInt& size, const SymbolRanges& ranges) {
  const Range bounds = position.bounds(ranges);
  if (bounds.min && *bounds.min >= 0) return position;
  if (bounds.max && *bounds.max < 0) return position + size;
  return SymInt::mod(position, SymInt::max(size, 1));
}

}  // namespace slipway::ir
