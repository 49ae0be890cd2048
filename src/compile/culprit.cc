#include "compile/culprit.h"

#include <set>
#include <span>
#include <variant>

#include "base/error.h"
#include "base/try.h"
#include "onnx/graph.h"

namespace slipway {

partition::Partition head_of(const partition::Partition& part, size_t count) {
  std::set<const ir::Value*> used_inside;
  std::set<const ir::Value*> used_outside(part.outputs.begin(), part.outputs.end());
  for (size_t i = 0; i < part.nodes.size(); ++i) {
    for (const ir::Argument& argument : part.nodes[i]->args()) {
      ir::Graph::for_each_value(argument, [&](const ir::Value* value) {
        (i < count ? used_inside : used_outside).insert(value);
      });
    }
  }
  partition::Partition head;
  head.engine = part.engine;
  head.nodes.assign(part.nodes.begin(), part.nodes.begin() + static_cast<ptrdiff_t>(count));
  for (const ir::Value* input : part.inputs) {
    if (used_inside.contains(input)) head.inputs.push_back(input);
  }
  for (const ir::Node* node : head.nodes) {
    for (const ir::Value* output : node->outputs()) {
      if (used_outside.contains(output)) head.outputs.push_back(output);
    }
  }
  return head;
}

RefusedNodes find_refused(const partition::Partition& part,
                          const std::vector<engine_build::Refusal>& refusals) {
  RefusedNodes refused;
  for (const engine_build::Refusal& refusal : refusals) {
    if (refusal.origin.empty()) continue;
    for (const ir::Node* node : part.nodes) {
      if (node->name() == refusal.origin || node->origin() == refusal.origin) {
        refused.emplace_back(node, refusal.reason);
      }
    }
  }
  return refused;
}

Result<RefusedNodes> find_culprit(const partition::Partition& part, std::string reason,
                                  const TryBuild& try_build, int& tries_left) {
  size_t good = 0;
  size_t bad = part.nodes.size();
  while (bad - good > 1 && tries_left > 0) {
    --tries_left;
    const size_t middle = good + (bad - good) / 2;
    const partition::Partition head = head_of(part, middle);
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<engine_build::Refusal> refusals, try_build(head));
    if (RefusedNodes named = find_refused(head, refusals); !named.empty()) return named;
    if (refusals.empty()) {
      good = middle;
    } else {
      bad = middle;
      reason = refusals.front().reason;
    }
  }
  RefusedNodes refused;
  for (size_t i = good; i < bad; ++i) refused.emplace_back(part.nodes[i], reason);
  return refused;
}

Status check_builds_anything(const engine_build::Builder& builder, const std::string& reason) {
  onnx::Graph graph;
  graph.name = "trivial";
  graph.inputs = {{"x", DType::kFloat32, {1, 1}}};
  graph.outputs = {{"y", DType::kFloat32, {1, 1}}};
  graph.nodes = {{"Relu", "relu", {"x"}, {"y"}, {}, "relu", "", ""}};
  SLIPWAY_ASSIGN_OR_RETURN(
      const engine_build::Outcome outcome,
      builder.build(graph, [](std::span<const std::byte>) -> Status { return {}; }));
  if (std::holds_alternative<engine::EngineRecord>(outcome)) return {};
  return unavailable("the engine's library builds nothing here, not even a single Relu: {}",
                     reason);
}

}  // namespace slipway
