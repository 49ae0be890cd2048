// Positions along a dimension.
#pragma once

#include "ir/sym_int.h"

namespace slipway::ir {

// A position that counts from the end where it is negative, counted from the front. One that is not
// within the size stays so.
inline SymInt from_front(const SymInt& position, const SymInt& size, const SymbolRanges& ranges) {
  const Range bounds = position.bounds(ranges);
  if (bounds.min && *bounds.min >= 0) return position;
  if (bounds.max && *bounds.max < 0) return position + size;
  const SymInt is_negative = SymInt::min(SymInt::max(SymInt(0) - position, 0), 1);
  return position + size * is_negative;
}

}  // namespace slipway::ir
