// Integers that arguments need as values of the graph again, as torch.export has them.
#pragma once

#include <map>
#include <unordered_map>

#include "ir/program.h"
#include "slipway/result.h"

namespace slipway::pt2 {

// Of each graph, sub-graphs too: the first value that holds an expression.
using SizeValues = std::unordered_map<const ir::Graph*, std::map<ir::SymInt, ir::Value*>>;

// Adds nodes (sym_size, add, mul, ...) before those whose arguments need an integer that no value
// before them holds. A symbol that a graph can't compute is an error that names the node.
Result<SizeValues> add_size_nodes(ir::Program& program);

}  // namespace slipway::pt2
