// The graph of an archive, and the graphs within it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "ir/graph.h"
#include "pt2/argument_reader.h"

namespace slipway::pt2 {

// A graph as read: its values by the archive's names, and what stands at each of the archive's
// inputs: a value, or a literal that the graph itself does not have.
struct GraphContents {
  Scope scope;
  std::vector<ir::Argument> inputs;
};

// Reads `json` into `graph`, which must be empty. What is wrong is recorded in the document.
// `expressions` must outlive the result's scope.
GraphContents read_graph(JsonValue json, ExpressionReader& expressions, ir::Graph& graph);

// Of a Python stack trace, oldest frame first, the last frame outside of installed packages and
// generated code (or the last one where there is none such), and the line of source below it.
std::string own_frame(std::string_view stack_trace);

}  // namespace slipway::pt2
