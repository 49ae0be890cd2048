// For tests: graphs for XNNPACK, put together table by table, so that a test can put in what no
// exporter would.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "xnnpack/format/xnnpack_generated.h"

namespace slipway::xnnpack {

namespace xnn = fb_xnnpack;

struct TestValue {
  std::vector<uint32_t> sizes;
  xnn::XNNDatatype type = xnn::XNNDatatype::xnn_datatype_fp32;
  uint32_t data = 0;
  uint32_t flags = 0;
  uint32_t place = UINT32_MAX;
  std::optional<uint32_t> id = std::nullopt;  // its position unless given
  std::optional<uint32_t> claimed_rank = std::nullopt;
  xnn::XNNDatatype quantized_later = xnn::XNNDatatype::xnn_datatype_invalid;
};

struct TestGraph {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<xnn::XValue>> values;
  std::vector<flatbuffers::Offset<xnn::XNode>> nodes;
  std::vector<flatbuffers::Offset<xnn::ConstantDataOffset>> data;
  std::string constants;
  uint32_t ends = 0;
  const char* identifier = "XN01";
  bool with_nodes = true;

  TestGraph() { data.push_back(xnn::CreateConstantDataOffset(builder)); }

  flatbuffers::Offset<xnn::XNNTensorValue> tensor(const TestValue& value) {
    const auto sizes = builder.CreateVector(value.sizes);
    return xnn::CreateXNNTensorValue(
        builder, value.type, value.claimed_rank.value_or(static_cast<uint32_t>(value.sizes.size())),
        sizes, value.data, value.place, value.flags,
        value.id.value_or(static_cast<uint32_t>(values.size())), value.quantized_later);
  }
  // Each gives the value's id.
  uint32_t add(const TestValue& value) {
    const auto made = tensor(value);
    values.push_back(xnn::CreateXValue(builder, xnn::XValueUnion::XNNTensorValue, made.Union()));
    return static_cast<uint32_t>(values.size() - 1);
  }
  uint32_t add(const TestValue& value, xnn::XNNQuantParams kind,
               flatbuffers::Offset<void> quantization) {
    const auto made =
        xnn::CreateXNNQuantizedTensorValue(builder, tensor(value), kind, quantization);
    values.push_back(
        xnn::CreateXValue(builder, xnn::XValueUnion::XNNQuantizedTensorValue, made.Union()));
    return static_cast<uint32_t>(values.size() - 1);
  }
  uint32_t input(std::vector<uint32_t> sizes) {
    return add({.sizes = std::move(sizes), .flags = 1, .place = ends++});
  }
  uint32_t output(std::vector<uint32_t> sizes) {
    return add({.sizes = std::move(sizes), .flags = 2, .place = ends++});
  }
  uint32_t constant(std::vector<uint32_t> sizes) {
    size_t bytes = sizeof(float);
    for (const uint32_t size : sizes) bytes *= size;
    const uint32_t index = add_data(bytes);
    return add({.sizes = std::move(sizes), .data = index});
  }
  // The index of so many bytes of ones.
  uint32_t add_data(size_t bytes) {
    data.push_back(xnn::CreateConstantDataOffset(builder, constants.size(), bytes));
    constants.append(bytes, '\x01');
    return static_cast<uint32_t>(data.size() - 1);
  }
  uint32_t add_named(const char* name) {
    data.push_back(xnn::CreateConstantDataOffsetDirect(builder, UINT64_MAX, 0, name));
    return static_cast<uint32_t>(data.size() - 1);
  }
  template <class Node>
  void node(xnn::XNodeUnion kind, flatbuffers::Offset<Node> node) {
    nodes.push_back(xnn::CreateXNode(builder, kind, node.Union()));
  }

  // Behind the header.
  std::string build() {
    const auto root =
        xnn::CreateXNNGraphDirect(builder, "0", with_nodes ? &nodes : nullptr, &values, ends,
                                  nullptr, nullptr, nullptr, nullptr, &data);
    builder.Finish(root, identifier);
    std::string tables(reinterpret_cast<const char*>(builder.GetBufferPointer()),
                       builder.GetSize());
    const auto tables_size = static_cast<uint32_t>(tables.size());
    tables.resize((tables.size() + 15) / 16 * 16);
    constexpr uint32_t kTables = 32;
    std::string blob("\0\0\0\0XH00", 8);
    const auto put = [&](auto number) {
      blob.append(reinterpret_cast<const char*>(&number), sizeof number);
    };
    put(uint16_t{30});
    put(kTables);
    put(tables_size);
    put(static_cast<uint32_t>(kTables + tables.size()));
    put(uint64_t{constants.size()});
    blob.resize(kTables);
    return blob + tables + constants;
  }
};

// A product with a bias: x of sizes [2, 3] is argument 0, the result of sizes [2, 4] argument 1.
inline void add_linear(TestGraph& graph, std::vector<uint32_t> x = {2, 3},
                       std::vector<uint32_t> w = {4, 3}, std::vector<uint32_t> b = {4},
                       uint32_t flags = 0) {
  const uint32_t input = graph.input(std::move(x));
  const uint32_t weight = graph.constant(std::move(w));
  const uint32_t bias = b.empty() ? UINT32_MAX : graph.constant(std::move(b));
  const uint32_t output = graph.output({2, 4});
  graph.node(xnn::XNodeUnion::XNNFullyConnected,
             xnn::CreateXNNFullyConnected(graph.builder, input, weight, bias, output, flags));
}

// A product of rows that are quantized when it runs and of a weight of four bits in groups.
inline std::string quantized_rows() {
  TestGraph graph;
  const uint32_t input = graph.input({2, 64});
  const uint32_t rows = graph.add({.sizes = {2, 64}, .type = xnn::XNNDatatype::xnn_datatype_qdint8},
                                  xnn::XNNQuantParams::PerTokenDynamicQuant,
                                  xnn::CreatePerTokenDynamicQuant(graph.builder, 1).Union());
  const uint32_t scales = graph.add_data(4 * 2 * sizeof(uint16_t));
  const uint32_t levels = graph.add_data(4 * 64 / 2);
  const auto listed = graph.builder.CreateVector(std::vector<float>());
  const uint32_t weight =
      graph.add({.sizes = {4, 64}, .type = xnn::XNNDatatype::xnn_datatype_qbint4, .data = levels},
                xnn::XNNQuantParams::PerChannelGroupQuant,
                xnn::CreatePerChannelGroupQuant(graph.builder, listed, 0, 32, scales, 8).Union());
  const uint32_t output = graph.output({2, 4});
  graph.node(xnn::XNodeUnion::XNNConvert, xnn::Create_XNNNode1x1(graph.builder, input, rows));
  graph.node(xnn::XNodeUnion::XNNFullyConnected,
             xnn::CreateXNNFullyConnected(graph.builder, rows, weight, UINT32_MAX, output));
  return graph.build();
}

inline std::string linear() {
  TestGraph graph;
  add_linear(graph);
  return graph.build();
}

}  // namespace slipway::xnnpack
