#include "compile/part_graph.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace slipway {
namespace {

constexpr size_t kMostNodes = 20'000;  // part_graph.h

// Each text once.
class Texts {
 public:
  // -1 for an empty one.
  int32_t index_of(const std::string& text) {
    if (text.empty()) return -1;
    const auto [found, is_new] = indices_.try_emplace(text, static_cast<int32_t>(texts_.size()));
    if (is_new) texts_.push_back(text);
    return found->second;
  }
  std::vector<std::string> take() { return std::move(texts_); }

 private:
  std::vector<std::string> texts_;
  std::map<std::string, int32_t> indices_;
};

std::string types_of(const ir::Node& node) {
  std::vector<std::string> types;
  for (const ir::Value* output : node.outputs()) {
    if (!output->is_tensor()) continue;
    types.push_back(
        fmt::format("{}{}", dtype_name(output->dtype()), ir::format_sizes(output->sizes())));
  }
  return fmt::format("{}", fmt::join(types, ", "));
}

// Without the text of the line.
std::string place_of(const ir::Node& node) {
  return node.stack_trace().substr(0, node.stack_trace().find('\n'));
}

engine::EngineGraph graph_of(const partition::Partition& part) {
  std::map<const ir::Value*, int32_t> sources;
  for (size_t i = 0; i < part.inputs.size(); ++i) {
    sources[part.inputs[i]] = -1 - static_cast<int32_t>(i);
  }
  Texts types;
  Texts places;
  engine::EngineGraph graph;
  for (const ir::Node* node : part.nodes) {
    engine::EngineGraph::Node one = {
        types.index_of(types_of(*node)), places.index_of(place_of(*node)), {}};
    for (const ir::Argument& argument : node->args()) {
      ir::Graph::for_each_value(argument, [&](const ir::Value* value) {
        const auto source = sources.find(value);
        // Constants belong to the engine.
        if (source == sources.end()) return;
        if (std::find(one.reads.begin(), one.reads.end(), source->second) == one.reads.end()) {
          one.reads.push_back(source->second);
        }
      });
    }
    for (const ir::Value* output : node->outputs()) {
      sources[output] = static_cast<int32_t>(graph.nodes.size());
    }
    graph.nodes.push_back(std::move(one));
  }
  graph.types = types.take();
  graph.places = places.take();
  return graph;
}

}  // namespace

std::vector<engine::EngineGraph> graphs_of(const std::vector<partition::Partition>& parts) {
  size_t nodes = 0;
  for (const partition::Partition& part : parts) nodes += part.nodes.size();
  std::vector<engine::EngineGraph> graphs(parts.size());
  if (nodes <= kMostNodes) std::transform(parts.begin(), parts.end(), graphs.begin(), graph_of);
  return graphs;
}

}  // namespace slipway
