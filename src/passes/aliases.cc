#include "passes/aliases.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <variant>

#include "passes/view_step.h"
#include "schema/schema.h"

namespace slipway::passes {
namespace {

using ir::Node;
using ir::Value;

// Those that are functions of views give what their schemas do not say: found by running the
// samples of torch.testing's op_db and comparing where results and arguments lie.
const std::set<std::string_view> kListed = {
    "aten.atleast_1d.Sequence",        "aten.atleast_2d.Sequence", "aten.atleast_3d.Sequence",
    "aten.broadcast_tensors.default",  "aten.meshgrid.default",    "aten.meshgrid.indexing",
    "aten.histogramdd.TensorList_bins"};
// The same where they take one tensor.
const std::set<std::string_view> kAlone = {"aten.cartesian_prod.default",
                                           "aten.chain_matmul.default", "aten.einsum.default"};

// Whether each letter of an equation of einsum is one of the result's.
bool sums_nothing(const Node& node) {
  const auto* const equation = std::get_if<std::string>(&node.arg(0));
  const size_t arrow = equation ? equation->find("->") : std::string::npos;
  if (arrow == std::string::npos) return true;
  const std::string_view operand = std::string_view(*equation).substr(0, arrow);
  const std::string_view result = std::string_view(*equation).substr(arrow);
  return std::all_of(operand.begin(), operand.end(), [&](char each) {
    return each == ' ' || result.find(each) != std::string_view::npos;
  });
}

}  // namespace

std::vector<const Value*> values_of(const ir::Argument& argument) {
  std::vector<const Value*> values;
  ir::Graph::for_each_value(argument, [&](const Value* value) { values.push_back(value); });
  return values;
}

std::vector<const Value*> arguments_in_results(const Node& node) {
  const bool is_listed = kListed.contains(node.op());
  if (is_listed || kAlone.contains(node.op())) {
    std::vector<const Value*> all;
    for (const ir::Argument& argument : node.args()) {
      for (const Value* value : values_of(argument)) all.push_back(value);
    }
    if (is_listed) return all;
    const bool is_view =
        all.size() == 1 && (node.op() != "aten.einsum.default" || sums_nothing(node));
    return is_view ? all : std::vector<const Value*>();
  }
  const schema::Schema* const schema = schema::find_operator(node.op());
  if (!schema || view_step(node, 0) || node.op().starts_with("aten.to.")) return {};
  const bool says_it = std::any_of(schema->returns.begin(), schema->returns.end(),
                                   [](const schema::Type& type) { return !type.alias.empty(); });
  return says_it ? values_of(node.arg(0)) : std::vector<const Value*>();
}

}  // namespace slipway::passes
