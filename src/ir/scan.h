// The loop over the elements along the first dimension of tensors.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "ir/graph.h"
#include "slipway/result.h"

namespace slipway::ir {

inline constexpr const char* kScan = "slipway.scan";

// A node kScan has, as arguments, in this order: the body, the first state (Tensor[]), the tensors
// that are scanned (Tensor[], at least one), whether it goes from their last element to their first
// (bool), and what else the body is given. The body takes a state, an element of each scanned
// tensor, without its dimension, and the rest; it gives the next state, of the same types, and an
// element of each stacked result. The node's results are the last state, which without elements is
// the first one, and the stacked results; where it goes backwards, these lie as the scanned tensors
// do.
struct Scan {
  static constexpr size_t kBody = 0;
  static constexpr size_t kState = 1;
  static constexpr size_t kScanned = 2;
  static constexpr size_t kReversed = 3;
  static constexpr size_t kGiven = 4;

  std::shared_ptr<Graph> body;
  std::vector<Value*> state;
  std::vector<Value*> scanned;
  bool reversed = false;

  // How often the body runs.
  const SymInt& count() const { return scanned.front()->sizes().front(); }
  // Where the inputs of the body begin that are the same in every turn.
  size_t first_given() const { return state.size() + scanned.size(); }
};

// Checks what is said above, but for sizes that are not constant. Requires a node kScan.
Result<Scan> scan_of(const Node& node);

}  // namespace slipway::ir
