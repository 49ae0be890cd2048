// Calls whose element types ExecuTorch's kernel lacks, for decompose.
#pragma once

#include <vector>

#include "ir/graph.h"
#include "ir/op_builder.h"

namespace slipway::passes {

// Whether the kernel that computes the node takes its types, as far as schema/kernel_types.h says.
bool has_kernel_types(const ir::Node& node);

// What stands for the node's outputs: the same call in a wider type that the kernel takes, which is
// exact, since PyTorch computes halves in float32 and integers wrap. Nothing where there is none.
std::vector<ir::Value*> in_wider_type(ir::OpBuilder& build, const ir::Node& node);

}  // namespace slipway::passes
