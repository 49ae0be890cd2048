#include <algorithm>
#include <iterator>
#include <vector>

#include "base/error.h"
#include "ir/arguments.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "schema/schema.h"

namespace slipway::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::Value;

// (token, operator, info, name, is_matrix)
constexpr size_t kToken = 0;
constexpr size_t kOperator = 1;
constexpr size_t kInfo = 2;

bool is_check(const Node& node) {
  if (node.op() != "higher_order.with_effects" || node.args().size() <= kInfo) return false;
  const auto* op = std::get_if<ir::OperatorName>(&node.arg(kOperator));
  return op && op->name == "aten._linalg_check_errors.default";
}

// Has what computes the info look at it; whether it can.
bool check_where_made(const Node& check) {
  const Value* info = ir::Arguments(check).tensor(kInfo);
  Node* maker = info ? info->producer() : nullptr;
  const schema::Schema* schema = maker ? schema::find_operator(maker->op()) : nullptr;
  if (!schema) return false;
  const auto& parameters = schema->parameters;
  const auto found = std::find_if(parameters.begin(), parameters.end(), [](const auto& parameter) {
    return parameter.name == "check_errors";
  });
  const auto i = static_cast<size_t>(std::distance(parameters.begin(), found));
  if (i >= maker->args().size()) return false;
  maker->args()[i] = true;
  return true;
}

}  // namespace

Status merge_checks(ir::Program& program) {
  Graph& graph = *program.graph;
  Replacements replacements;
  std::vector<Node*> merged;
  for (const auto& node : graph.nodes()) {
    if (!is_check(*node)) continue;
    Value* token = ir::Arguments(*node).tensor(kToken);
    if (!token || node->outputs().empty() || !check_where_made(*node)) {
      return unsupported("{}: it checks what no operator before it says of its errors",
                         describe(*node));
    }
    replacements.add(node->output(), token);
    merged.push_back(node.get());
  }
  replacements.apply(graph);
  for (auto it = merged.rbegin(); it != merged.rend(); ++it) graph.erase(*it);
  // What came in and goes out again says nothing.
  auto& values = graph.outputs();
  for (size_t i = std::min(program.outputs.size(), values.size()); i-- > 0;) {
    const auto* value = std::get_if<Value*>(&values[i]);
    if (program.outputs[i].kind != ir::OutputKind::kToken || !value || (*value)->producer())
      continue;
    values.erase(values.begin() + static_cast<std::ptrdiff_t>(i));
    program.outputs.erase(program.outputs.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return {};
}

}  // namespace slipway::passes
