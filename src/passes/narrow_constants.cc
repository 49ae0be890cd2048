// Constants that are views of fewer elements.
#include <cstddef>
#include <utility>
#include <vector>

#include "ir/op_builder.h"
#include "ir/queries.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace slipway::passes {
namespace {

// Bytes of a repeated constant from which on it is worth a node.
constexpr size_t kLarge = size_t{64} << 10;

// Takes one of what a constant has again and again; whether there is such.
bool narrow(ir::ConstantData& data) {
  bool repeats = false;
  for (size_t i = 0; i < data.sizes.size(); ++i) {
    if (data.strides[i] != 0 || data.sizes[i] < 2) continue;
    data.sizes[i] = 1;
    repeats = true;
  }
  return repeats;
}

}  // namespace

Status narrow_constants(ir::Program& program) {
  ir::Graph& graph = *program.graph;
  if (graph.nodes().empty()) return {};
  ir::OpBuilder build(graph, graph.nodes().front().get(), nullptr);
  const auto constants = ir::constant_inputs(program);
  Replacements replacements;
  std::vector<std::pair<ir::Node*, ir::Value*>> expansions;
  for (ir::Input& input : program.inputs) {
    if (!constants.contains(input.value) || input.data->nbytes() < kLarge) continue;
    const ir::TensorType whole = input.value->type();
    if (!narrow(*input.data)) continue;
    ir::TensorType narrowed = whole;
    narrowed.sizes.assign(input.data->sizes.begin(), input.data->sizes.end());
    narrowed.strides.clear();
    input.value->set_type(std::move(narrowed));
    ir::Value* expanded = build.call("aten.expand.default", {input.value, whole.sizes}, whole);
    replacements.add(input.value, expanded);
    expansions.emplace_back(expanded->producer(), input.value);
  }
  if (!build.status().ok()) return build.status();
  replacements.apply(graph);
  for (const auto& [node, value] : expansions) node->args()[0] = value;
  return {};
}

}  // namespace slipway::passes
