// Windows that move over a tensor: of pools and convolutions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cuda/builder/rule.h"

namespace slipway::cuda {

struct Window {
  size_t count = 0;  // of dimensions
  std::vector<int64_t> strides;
  std::vector<int64_t> dilations;
  std::vector<int64_t> pads;  // starts, then ends
};

Window window_of(Rule& r);

// Where a tap of a window lies in the operand: places from the third dimension on, and a condition
// that holds for those within it.
std::string tap(Kernel& k, const Window& w, const Sizes& sizes, const Indices& out,
                const Indices& taps, Indices& at);
// As tap(), for a window that is spread over the result.
std::string tap_of_transposed(Kernel& k, const Window& w, const Sizes& sizes, const Indices& out,
                              const Indices& taps, Indices& at);

// From a dimension on.
Sizes tail(const Sizes& sizes, size_t start);

void convolve(Rule& r);

}  // namespace slipway::cuda
