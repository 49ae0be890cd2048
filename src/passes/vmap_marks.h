// The marks of torch.vmap in programs of the training dialect, around nodes on one element of a
// batch.
#pragma once

#include <string_view>

#include "ir/program.h"

namespace slipway::passes {

// The name of a mark, such as "_add_batch_dim", or nothing.
inline std::string_view vmap_mark(const ir::Node& node) {
  constexpr std::string_view kMarks = "torch._functorch.predispatch.";
  std::string_view op = node.op();
  if (!op.starts_with(kMarks)) return {};
  op.remove_prefix(kMarks.size());
  return op;
}

}  // namespace slipway::passes
