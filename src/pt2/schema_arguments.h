// A node's arguments in the order of its operator's schema, complete with defaults.
#pragma once

#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "schema/schema.h"
#include "slipway/result.h"

namespace slipway::pt2 {

// As archives give them: without those that equal their defaults.
struct NamedArgument {
  std::string_view name;  // empty for higher-order operators
  bool positional = true;
  ir::Argument argument;
};

// The schema of the operator, or null where Slipway does not know it. torch.export keeps calls with
// numbers for tensors, such as aten.add.Tensor(x, 1) and aten.sub.Tensor(4, x). For them it is the
// overload that takes numbers and computes the same, aten.add.Scalar and aten.rsub.Scalar, and the
// arguments change places where they must.
const schema::Schema* find_schema(std::string_view op, std::vector<NamedArgument>& given);

// All of the schema's arguments. Those given are fitted to their parameter's type: one integer for
// int[2] becomes two, an integer for a float becomes one, an empty list gets the right type. The
// error says which argument is missing or unknown, without naming the node.
Result<std::vector<ir::Argument>> complete_arguments(const schema::Schema& schema,
                                                     std::vector<NamedArgument> given);

}  // namespace slipway::pt2
