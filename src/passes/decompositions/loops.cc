#include "passes/decompositions/loops.h"

#include <memory>

#include "ir/scan.h"

namespace slipway::passes::decompositions {

LoopResults loop(Context& c, const LoopValues& values, bool reversed, const LoopBody& body) {
  auto graph = std::make_shared<ir::Graph>();
  const auto inputs = [&graph](const List& from, const char* name, bool is_element) {
    List result;
    for (const ir::Value* value : from) {
      ir::TensorType type = value->type();
      if (is_element) type.sizes = last(type.sizes, type.sizes.size() - 1);
      result.push_back(graph->add_input(name, type));
    }
    return result;
  };
  const LoopValues inside{inputs(values.state, "state", false),
                          inputs(values.scanned, "element", true),
                          inputs(values.given, "given", false)};
  ir::OpBuilder build(*graph, nullptr, &c.node());
  const LoopResults turn = body(build, inside);
  if (!build.status().ok()) c.build.fail(build.status().error());
  for (const List* list : {&turn.state, &turn.stacked}) {
    for (ir::Value* value : *list) graph->outputs().emplace_back(value);
  }

  ir::Node* node =
      c.build.node(ir::kScan, {graph, values.state, values.scanned, reversed, values.given});
  LoopResults results;
  for (const ir::Value* value : values.state) {
    results.state.push_back(c.build.graph().add_output(node, value->type()));
  }
  for (const ir::Value* value : turn.stacked) {
    ir::TensorType type = value->type();
    type.sizes.insert(type.sizes.begin(), values.scanned.at(0)->sizes().at(0));
    results.stacked.push_back(c.build.graph().add_output(node, type));
  }
  return results;
}

}  // namespace slipway::passes::decompositions
