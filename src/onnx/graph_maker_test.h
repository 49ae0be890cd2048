// Graphs for tests, node by node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "onnx/graph.h"

namespace slipway::onnx {

class GraphMaker {
 public:
  Graph graph;

  void input(const std::string& name, std::vector<ir::SymInt> sizes,
             DType dtype = DType::kFloat32) {
    graph.inputs.push_back({name, dtype, std::move(sizes)});
  }
  void output(const std::string& name, std::vector<ir::SymInt> sizes,
              DType dtype = DType::kFloat32) {
    graph.outputs.push_back({name, dtype, std::move(sizes)});
  }
  // Of one result, by which it is called.
  void node(const std::string& op_type, std::vector<std::string> inputs, const std::string& output,
            std::vector<std::pair<std::string, Attribute>> attributes = {}) {
    Node node;
    node.op_type = op_type;
    node.inputs = std::move(inputs);
    node.outputs = {output};
    node.attributes = std::move(attributes);
    node.origin = output;
    graph.nodes.push_back(std::move(node));
  }
  template <class T>
  void constant(const std::string& name, DType dtype, const std::vector<int64_t>& sizes,
                const std::vector<T>& values) {
    std::vector<std::byte> bytes(values.size() * sizeof(T));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    graph.initializers.push_back({name, dtype, sizes, own_bytes(std::move(bytes))});
  }
  void integers(const std::string& name, const std::vector<int64_t>& values) {
    constant(name, DType::kInt64, {static_cast<int64_t>(values.size())}, values);
  }
};

// Of its nodes, in their order.
inline std::vector<std::string> op_types(const Graph& graph) {
  std::vector<std::string> result;
  for (const Node& node : graph.nodes) result.push_back(node.op_type);
  return result;
}

}  // namespace slipway::onnx
