// Windows that move over the last two dimensions, and the greatest element of each.
#pragma once

#include <utility>
#include <vector>

#include "passes/decompositions/context.h"

namespace slipway::passes::decompositions {

struct PoolWindows {
  std::vector<ir::SymInt> kernel;
  std::vector<ir::SymInt> stride;
  std::vector<ir::SymInt> padding;
  std::vector<ir::SymInt> dilation;
};

// Values, and where each lies in the picture; null for what has no place.
using Pooled = std::pair<ir::Value*, ir::Value*>;

// How many windows there are along a dimension. In ceil_mode the last one may reach past the
// padding behind, and starts within the dimension or the padding before it.
ir::SymInt window_count(const ir::SymInt& size, const ir::SymInt& kernel,
                        const ir::SymInt& dilation, const ir::SymInt& padding,
                        const ir::SymInt& stride, bool ceil = false);

// Whether a window may hold padding alone: a dilated one does where it steps over the whole line.
bool may_miss(Context& c, const ir::SymInt& size, const ir::SymInt& padding,
              const ir::SymInt& dilation);

ir::Value* greatest_in_windows(Context& c, ir::Value* x, const PoolWindows& w, bool ceil);
Pooled max_pool(Context& c, ir::Value* x, const PoolWindows& w, bool ceil);
// Of several NaN in a window, PyTorch gives the place of the last one. Each NaN becomes one more
// than its place in its picture of so many dimensions, and all else 0; the greatest mark of each
// window then says which place it is, if any.
ir::Value* mark_nan(Context& c, ir::Value* x, size_t dims);
ir::Value* unless_marked(Context& c, ir::Value* marks, ir::Value* places);
// Whether ExecuTorch's kernel of max pooling gives what PyTorch gives.
bool kernel_takes_max_pool(Context& c, const ir::Value* x, const PoolWindows& w);

}  // namespace slipway::passes::decompositions
