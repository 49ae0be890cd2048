#include "engine/engine_graph_json.h"

#include <vector>

namespace slipway::engine {

OrderedJson graph_to_json(const EngineGraph& graph) {
  OrderedJson json = {{"types", graph.types}, {"places", graph.places}};
  json["nodes"] = array_to_json(graph.nodes, [](const EngineGraph::Node& node) {
    std::vector<int32_t> numbers = {node.type, node.place};
    numbers.insert(numbers.end(), node.reads.begin(), node.reads.end());
    return OrderedJson(numbers);
  });
  return json;
}

EngineGraph read_graph(JsonValue json, size_t inputs, size_t nodes) {
  EngineGraph graph;
  graph.types = json["types"].to_strings();
  graph.places = json["places"].to_strings();
  const auto is_within = [](int64_t index, size_t before, size_t end) {
    return index >= -static_cast<int64_t>(before) && index < static_cast<int64_t>(end);
  };
  for (const JsonValue item : json["nodes"].items()) {
    // The type, the place, and what it reads.
    const std::vector<int64_t> numbers = item.to_ints();
    bool fits = numbers.size() >= 2 && is_within(numbers[0], 1, graph.types.size()) &&
                is_within(numbers[1], 1, graph.places.size());
    for (size_t i = 2; i < numbers.size(); ++i) {
      fits = fits && is_within(numbers[i], inputs, graph.nodes.size());
    }
    if (!fits) {
      item.fail("is no node of a graph");
      return graph;
    }
    EngineGraph::Node& node = graph.nodes.emplace_back();
    node.type = static_cast<int32_t>(numbers[0]);
    node.place = static_cast<int32_t>(numbers[1]);
    node.reads.assign(numbers.begin() + 2, numbers.end());
  }
  if (graph.nodes.size() != nodes) json.fail("has other nodes than the engine");
  return graph;
}

}  // namespace slipway::engine
