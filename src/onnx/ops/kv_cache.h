// Caches of keys and values, which an engine may write in place.
#pragma once

#include <cstdint>
#include <optional>

#include "onnx/context.h"

namespace slipway::onnx {

// Argument 0 with `updates` at `positions`, an int64[n] that has the elements of `position_values`,
// along `axis`: as one TensorScatter, whose result may lie in the memory of what it takes.
// Nothing where the options don't ask for that, the argument is no buffer that this node alone
// reads and changes, the positions are not known to follow each other, or engines have no such
// cache. `wraps`: negative positions count from the end.
std::optional<Ref> update_cache(Context& c, int64_t axis, const ir::Value* position_values,
                                const Ref& positions, const Ref& updates, bool wraps);

}  // namespace slipway::onnx
