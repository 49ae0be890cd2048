// Higher-order operators that only hold a sub-graph: torch.no_grad, torch.autocast,
// invoke_subgraph, hints_wrapper and checkpoints.
#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/try.h"
#include "ir/op_builder.h"
#include "passes/autocast.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/vmap_marks.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::Graph;
using ir::Node;
using ir::Value;
using ir::ValueKind;

// The devices whose autocast is on where a node stands.
using Autocast = std::set<std::string>;

bool is_region(std::string_view op) {
  static const std::set<std::string_view> kNames = {"higher_order.wrap_with_set_grad_enabled",
                                                    "higher_order.wrap_with_autocast",
                                                    "higher_order.invoke_subgraph",
                                                    "higher_order.hints_wrapper",
                                                    "higher_order.wrap_activation_checkpoint",
                                                    "higher_order.tag_activation_checkpoint"};
  return kNames.contains(op);
}

// A region: its graph, and what each input of the graph is given.
struct CalledRegion {
  const Graph* graph = nullptr;
  std::vector<Argument> operands;
};

// wrap_with_set_grad_enabled(enabled, graph, *operands)
// wrap_with_autocast(device, dtype, enabled, cache, graph, *operands)
// invoke_subgraph(graph, identifier, *operands)
// hints_wrapper(graph, operands, {}, hints), checkpoints(graph, *operands, **settings)
std::optional<CalledRegion> region_of(const Node& node) {
  const auto& args = node.args();
  const auto at = std::find_if(args.begin(), args.end(), [](const Argument& argument) {
    return std::holds_alternative<std::shared_ptr<Graph>>(argument);
  });
  if (at == args.end()) return std::nullopt;
  CalledRegion region{std::get<std::shared_ptr<Graph>>(*at).get(), {}};
  auto operand = std::next(at);
  if (node.op() == "higher_order.invoke_subgraph" && operand != args.end()) ++operand;
  for (; operand != args.end() && region.operands.size() < region.graph->inputs().size();
       ++operand) {
    if (const auto* list = std::get_if<std::vector<Value*>>(&*operand)) {
      region.operands.insert(region.operands.end(), list->begin(), list->end());
    } else {
      region.operands.push_back(*operand);
    }
  }
  if (region.operands.size() != region.graph->inputs().size()) return std::nullopt;
  return region;
}

// The autocast inside a region.
Autocast inside(const Node& node, Autocast autocast) {
  if (node.op() != "higher_order.wrap_with_autocast" || node.args().size() < 3) return autocast;
  const auto* device = std::get_if<std::string>(&node.arg(0));
  const auto* enabled = std::get_if<bool>(&node.arg(2));
  if (device == nullptr || enabled == nullptr) return autocast;
  if (*enabled) {
    autocast.insert(*device);
  } else {
    autocast.erase(*device);
  }
  return autocast;
}

// Gives the node's operands the types that autocast gave them.
void cast_operands(Graph& graph, Node* node) {
  if (node->outputs().empty() || !node->output()->is_tensor()) return;
  const DType result = node->output()->dtype();
  if (!autocast_casts(node->op(), result)) return;
  const DType wanted = is_complex(result) ? DType::kFloat32 : result;
  for (Argument& argument : node->args()) {
    Graph::for_each_value(argument, [&](Value*& value) {
      if (!value->is_tensor()) return;
      ir::TensorType type = value->type();
      const bool is_cast = type.dtype == DType::kFloat32 || type.dtype == DType::kFloat16 ||
                           type.dtype == DType::kBFloat16;
      if (!is_cast || type.dtype == wanted) return;
      type.dtype = wanted;
      ir::OpBuilder build(graph, node, node);
      value = build.call("aten._to_copy.default", {value, wanted}, std::move(type));
    });
  }
}

class Inliner {
 public:
  // `vmaps`: how many of torch.vmap the graph stands in.
  Inliner(Graph& graph, int vmaps) : graph_(graph), vmaps_(vmaps) {}

  Status run(const Autocast& autocast) {
    std::vector<Node*> inlined;
    for (const auto& each : graph_.nodes()) {
      Node* node = each.get();
      for (Argument& argument : node->args()) results_.resolve(argument);
      const Autocast inner = inside(*node, autocast);
      const std::string_view mark = vmap_mark(*node);
      if (mark == "_vmap_increment_nesting") ++vmaps_;
      if (mark == "_vmap_decrement_nesting") --vmaps_;
      if (vmaps_ > 0 && !inner.empty()) {
        return unsupported(
            "{}: torch.vmap under torch.autocast, or that in it, casts otherwise than the types of "
            "what is exported say: save the exported program's `.run_decompositions()`",
            describe(*node));
      }
      for (Graph* graph : sub_graphs(*node)) {
        SLIPWAY_RETURN_IF_ERROR(Inliner(*graph, vmaps_).run(inner));
      }
      if (!autocast.empty()) cast_operands(graph_, node);
      if (is_region(node->op()) && inline_region(node)) inlined.push_back(node);
    }
    results_.apply(graph_);
    for (auto it = inlined.rbegin(); it != inlined.rend(); ++it) graph_.erase(*it);
    return {};
  }

 private:
  // Not where the region does not hold together: what is left is refused as an operator.
  bool inline_region(Node* node) {
    const std::optional<CalledRegion> region = region_of(*node);
    if (!region || !fits(*node, *region)) return false;

    std::unordered_map<const Value*, Value*> copies;
    for (size_t i = 0; i < region->operands.size(); ++i) {
      // Numbers that a region is given are literals or expressions within it.
      if (auto* const* value = std::get_if<Value*>(&region->operands[i])) {
        copies[region->graph->inputs()[i]] = *value;
      }
    }
    const auto copy_of = [&](Value*& value) { value = copies.at(value); };
    for (const auto& each : region->graph->nodes()) {
      std::vector<Argument> args = each->args();
      for (Argument& argument : args) Graph::for_each_value(argument, copy_of);
      Node* copy = graph_.add_node(each->op(), std::move(args),
                                   {.before = node, .origin = each.get(), .name = each->name()});
      for (const Value* output : each->outputs()) {
        Value* added =
            graph_.add_output(copy, output->kind(), output->expression(), output->name());
        if (output->is_tensor()) added->set_type(output->type());
        copies[output] = added;
      }
    }
    for (size_t i = 0; i < node->outputs().size(); ++i) {
      if (auto* const* value = std::get_if<Value*>(&region->graph->outputs()[i])) {
        results_.add(node->output(i), copies.at(*value));
      }
    }
    return true;
  }

  // Whether what stands inside and outside of the region is the same kind of value.
  static bool agree(const Argument& argument, const Value* value) {
    if (value->kind() == ValueKind::kAbsent || value->kind() == ValueKind::kSymInt) return true;
    auto* const* other = std::get_if<Value*>(&argument);
    return other != nullptr && *other != nullptr && (*other)->kind() == value->kind() &&
           (*other)->dtype() == value->dtype() && (*other)->sizes() == value->sizes();
  }

  static bool fits(const Node& node, const CalledRegion& region) {
    const auto agrees = [](const Argument& argument, const Value* value) {
      return agree(argument, value);
    };
    return std::equal(region.operands.begin(), region.operands.end(),
                      region.graph->inputs().begin(), region.graph->inputs().end(), agrees) &&
           std::equal(region.graph->outputs().begin(), region.graph->outputs().end(),
                      node.outputs().begin(), node.outputs().end(), agrees);
  }

  Graph& graph_;
  int vmaps_;
  Replacements results_;
};

}  // namespace

Status inline_regions(ir::Program& program) { return Inliner(*program.graph, 0).run({}); }

}  // namespace slipway::passes
