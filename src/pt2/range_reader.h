// The ranges of symbols in an archive.
#pragma once

#include "base/json.h"
#include "ir/sym_int.h"

namespace slipway::pt2 {

// Keys are symbols or expressions as sympy prints them. Of the latter, multiples of a symbol
// ("2*s77") bound it too; what others say follows from the symbols' own bounds.
ir::SymbolRanges read_ranges(JsonValue constraints);

}  // namespace slipway::pt2
