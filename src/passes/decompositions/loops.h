// Builds the loops of rules.
#pragma once

#include <functional>
#include <vector>

#include "passes/decompositions/context.h"

namespace slipway::passes::decompositions {

using List = std::vector<ir::Value*>;

// What goes into one turn, and into the whole loop: the state, what it runs along the first
// dimension of (in a turn: an element), and what is the same in every turn.
struct LoopValues {
  List state;
  List scanned;
  List given;
};

// What comes out: the next state and an element of each stacked result; of the whole loop, the last
// state and the stacked results.
struct LoopResults {
  List state;
  List stacked;
};

using LoopBody = std::function<LoopResults(ir::OpBuilder&, const LoopValues&)>;

// The loop from the first to the last element, or backwards. The body uses no values but its own.
LoopResults loop(Context& c, const LoopValues& values, bool reversed, const LoopBody& body);

}  // namespace slipway::passes::decompositions
