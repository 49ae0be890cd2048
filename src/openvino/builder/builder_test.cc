#include "openvino/builder/builder.h"

#include <algorithm>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "onnx/lowering.h"
#include "openvino/shim/processor.h"
#include "passes/program_test.h"

namespace slipway::openvino {
namespace {

using ir::SymInt;
using ir::Value;

Status ignore(std::span<const std::byte>) { return {}; }

// y = relu(x) @ w, where w lies column by column in its storage.
struct Layer : passes::TestProgram {
  Value* x = input("x", type({SymInt::symbol("s0"), 40}));
  Value* w = constant("w", count({40, 50}, {1, 40}, 0, 2000));
  Value* y = call("aten.mm.default",
                  {call("aten.relu.default", {x}, type({SymInt::symbol("s0"), 40}), "relu"), w},
                  type({SymInt::symbol("s0"), 50}), "y");

  onnx::Graph lower(const engine_build::Builder& builder) {
    output(y);
    auto graph = onnx::lower(program, builder.lowering());
    EXPECT_TRUE(graph.ok()) << graph.error().message();
    return *graph;
  }
};

TEST(Builder, SaysWhatDecidesAboutItsBytes) {
  const auto builder = make_builder({});
  const auto fingerprint = builder->fingerprint();
  ASSERT_TRUE(fingerprint.ok()) << fingerprint.error().message();
  EXPECT_EQ(fingerprint->substr(0, 18), "OpenVINO 2026.4.1-");
  for (const char* part :
       {"processor ", "INFERENCE_PRECISION_HINT=f32", "PERFORMANCE_HINT=LATENCY"}) {
    EXPECT_NE(fingerprint->find(part), std::string::npos) << *fingerprint;
  }
  EXPECT_EQ(fingerprint->find("unknown"), std::string::npos) << *fingerprint;
  EXPECT_EQ(*make_builder({})->fingerprint(), *fingerprint);
}

TEST(Builder, BuildsAnEngineAndItsRecord) {
  const auto builder = make_builder({});
  Layer layer;
  const onnx::Graph graph = layer.lower(*builder);
  ASSERT_EQ(graph.initializers.at(0).data.span(), nullptr);
  std::vector<std::byte> bytes;
  const auto outcome = builder->build(graph, [&](std::span<const std::byte> chunk) -> Status {
    bytes.insert(bytes.end(), chunk.begin(), chunk.end());
    return {};
  });
  ASSERT_TRUE(outcome.ok()) << outcome.error().message();
  const auto* record = std::get_if<engine::EngineRecord>(&*outcome);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->engine, "openvino");
  EXPECT_EQ(record->backend, "OpenvinoBackend");
  EXPECT_EQ(record->library_version.substr(0, 9), "2026.4.1-");
  EXPECT_EQ(record->device, "CPU");
  EXPECT_EQ(record->capabilities, capabilities());
  EXPECT_EQ(record->compile_specs.at("device"), "CPU");
  EXPECT_EQ(record->options.at("INFERENCE_PRECISION_HINT"), "f32");
  EXPECT_EQ(record->weight_bytes, 8000U);
  ASSERT_EQ(record->inputs.size(), 1U);
  EXPECT_EQ(record->inputs[0].name, "x");
  EXPECT_EQ(record->inputs[0].dtype, "float32");
  EXPECT_EQ(record->inputs[0].sizes, (std::vector<std::string>{"s0", "40"}));
  ASSERT_EQ(record->outputs.size(), 1U);
  EXPECT_EQ(record->outputs[0].sizes, (std::vector<std::string>{"s0", "50"}));

  // The weight is in there, laid out as rows: 0, 40, 80, ...
  std::vector<float> row(50);
  for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<float>(40 * i);
  const auto found = std::search(bytes.begin(), bytes.end(), std::as_bytes(std::span(row)).begin(),
                                 std::as_bytes(std::span(row)).end());
  EXPECT_NE(found, bytes.end());
}

TEST(Builder, NamesTheNodesThatOpenvinoRefuses) {
  const auto builder = make_builder({});
  Layer layer;
  onnx::Graph graph = layer.lower(*builder);
  onnx::Node& node = graph.nodes.front();
  node.op_type = "Col2Im";
  node.inputs = {node.inputs[0], node.inputs[0], node.inputs[0]};
  node.origin = "fold";
  const auto outcome = builder->build(graph, ignore);
  ASSERT_TRUE(outcome.ok()) << outcome.error().message();
  const auto* refusals = std::get_if<std::vector<engine_build::Refusal>>(&*outcome);
  ASSERT_NE(refusals, nullptr);
  ASSERT_EQ(refusals->size(), 1U);
  EXPECT_EQ(refusals->at(0).origin, "fold");
  EXPECT_NE(refusals->at(0).reason.find("Col2Im"), std::string::npos);
}

TEST(Builder, SaysWhereNoNodeIsNamed) {
  const auto builder = make_builder({});
  Layer layer;
  onnx::Graph graph = layer.lower(*builder);
  for (onnx::Node& node : graph.nodes) node.origin.clear();
  graph.nodes.front().op_type = "Col2Im";
  const auto outcome = builder->build(graph, ignore);
  ASSERT_TRUE(outcome.ok()) << outcome.error().message();
  const auto* refusals = std::get_if<std::vector<engine_build::Refusal>>(&*outcome);
  ASSERT_NE(refusals, nullptr);
  ASSERT_EQ(refusals->size(), 1U);
  EXPECT_EQ(refusals->at(0).origin, "");
  EXPECT_NE(refusals->at(0).reason.find("Col2Im"), std::string::npos);
}

TEST(Builder, PassesOnTheSinksError) {
  const auto builder = make_builder({});
  Layer layer;
  const onnx::Graph graph = layer.lower(*builder);
  const auto outcome = builder->build(graph, [](std::span<const std::byte>) -> Status {
    return resource_exhausted("the disk is full");
  });
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().message(), "the disk is full");
}

// Products of 8-bit integers are wrong on processors without these.
TEST(Builder, NamesWhatEnginesOfQuantizedModelsNeed) {
  const auto builder = make_builder({});
  Layer layer;
  Value* y = layer.y;
  const auto pair = [&](const std::string& op, Value* x, ir::TensorType type) {
    return layer.call("quantized_decomposed." + op + "_per_tensor.default",
                      {x, 0.1, SymInt(3), SymInt(-128), SymInt(127), DType::kInt8}, type, op);
  };
  const auto quantized = pair("quantize", y, Layer::type(y->sizes(), DType::kInt8));
  layer.y = pair("dequantize", quantized, Layer::type(y->sizes()));
  onnx::Graph graph = layer.lower(*builder);
  const bool is_quantized = builder->lowering().quantized == onnx::QuantizedValues::kUnsigned;
  const auto outcome = builder->build(graph, ignore);
  ASSERT_TRUE(outcome.ok()) << outcome.error().message();
  const auto& specs = std::get<engine::EngineRecord>(*outcome).compile_specs;
#if defined(__x86_64__)
  EXPECT_EQ(specs.contains(kAnyFeature), is_quantized);
  if (is_quantized) {
    EXPECT_EQ(specs.at(kAnyFeature), "avx512_vnni,avx_vnni");
  }
#else
  EXPECT_TRUE(is_quantized);
  EXPECT_FALSE(specs.contains(kAnyFeature));
#endif
}

TEST(Builder, LowersForThePlugin) {
  const auto options = make_builder({})->lowering();
  EXPECT_TRUE(options.clamp_indices);
  EXPECT_TRUE(options.keep_infinite_extrema);
  EXPECT_TRUE(options.integer_reductions_apart);
#if defined(__x86_64__)
  const bool multiplies_int8 = has_any_feature("avx512_vnni,avx_vnni");
#else
  const bool multiplies_int8 = true;
#endif
  EXPECT_EQ(options.quantized,
            multiplies_int8 ? onnx::QuantizedValues::kUnsigned : onnx::QuantizedValues::kFloat32);
  EXPECT_TRUE(options.fused.contains("LayerNormalization"));
  EXPECT_TRUE(options.fused.contains("ATen"));
}

}  // namespace
}  // namespace slipway::openvino
