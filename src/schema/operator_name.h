// The parts of an operator's name: "aten.sum.dim_IntList" has the namespace "aten", the base name
// "sum" and the overload "dim_IntList".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace slipway::schema {

// "sum" of "aten.sum.dim_IntList", "mul" of "_operator.mul".
std::string_view base_name(std::string_view op);
// The same of PyTorch's own operators; empty for others.
std::string_view aten_name(std::string_view op);
// "dim_IntList" of "aten.sum.dim_IntList"; empty for an operator without one.
std::string_view overload_name(std::string_view op);
// "aten.sum" of "aten.sum.dim_IntList".
std::string_view without_overload(std::string_view op);
// Whether the name, with or without an overload, is the operator's.
bool matches(std::string_view op, std::string_view name);

// A name that may lack the overload of operators that have one: "aten.silu.default" of "aten.silu".
std::string target_of(std::string_view name);
// Names between spaces, as tables have them, each as target_of() has it.
std::vector<std::string> split_targets(std::string_view names);
// The same for documentation: "`aten.silu.default`, `aten.max.dim`".
std::string quote_targets(std::string_view names);

}  // namespace slipway::schema
