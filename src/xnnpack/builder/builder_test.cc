#include "xnnpack/builder/builder.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "onnx/graph_maker_test.h"
#include "xnnpack/format/graph.h"
#include "xnnpack/format/xnnpack_generated.h"

namespace slipway::xnnpack {
namespace {

namespace xnn = fb_xnnpack;
using ir::SymInt;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

using Integers = std::vector<int64_t>;

const SymInt kBatch = SymInt::symbol("n");

class Maker : public onnx::GraphMaker {
 public:
  Maker() { graph.ranges = {{"n", {1, 8}}}; }
  // Its elements count from 1.
  void weight(const std::string& name, const Integers& sizes) {
    int64_t count = 1;
    for (const int64_t size : sizes) count *= size;
    std::vector<float> values;
    for (int64_t i = 1; i <= count; ++i) values.push_back(static_cast<float>(i));
    constant(name, DType::kFloat32, sizes, values);
  }
  // Levels of int8, which count from 1, with one scale for each place along a dimension.
  void quantized_weight(const std::string& name, const Integers& sizes,
                        const std::vector<float>& scales, int64_t axis = 0) {
    int64_t count = 1;
    for (const int64_t size : sizes) count *= size;
    std::vector<int8_t> values;
    for (int64_t i = 1; i <= count; ++i) values.push_back(static_cast<int8_t>(i));
    constant(name + "_levels", DType::kInt8, sizes, values);
    constant(name + "_scales", DType::kFloat32, {static_cast<int64_t>(scales.size())}, scales);
    node("DequantizeLinear", {name + "_levels", name + "_scales"}, name, {{"axis", axis}});
  }
  void step(const std::string& op_type, const std::string& from, const std::string& to, float scale,
            int8_t zero_point) {
    constant<float>(to + "_scale", DType::kFloat32, {}, {scale});
    constant<int8_t>(to + "_zero", DType::kInt8, {}, {zero_point});
    node(op_type, {from, to + "_scale", to + "_zero"}, to);
  }
  // To int8 and back.
  void round(const std::string& from, const std::string& to, float scale, int8_t zero_point) {
    step("QuantizeLinear", from, to + "_q", scale, zero_point);
    step("DequantizeLinear", to + "_q", to, scale, zero_point);
  }
  void cast(const std::string& from, const std::string& to, DType dtype) {
    node("Cast", {from}, to, {{"to", int64_t{onnx::onnx_type(dtype)}}});
  }
  void number(const std::string& name, float value) {
    constant<float>(name, DType::kFloat32, {}, {value});
  }
};

struct Built {
  std::vector<engine_build::Refusal> refusals;
  std::vector<std::byte> blob;

  const xnn::XNNGraph& graph() const { return *xnn::GetXNNGraph(blob.data() + 32); }
  std::vector<std::string> kinds() const {
    std::vector<std::string> result;
    for (const auto* node : *graph().xnodes()) {
      result.emplace_back(xnn::EnumNameXNodeUnion(node->xnode_union_type()) + 3);
    }
    return result;
  }
  // The elements of the i-th constant.
  template <class T = float>
  std::vector<T> constant(uint32_t i) const {
    uint32_t start = 0;
    std::memcpy(&start, blob.data() + 18, sizeof start);
    const auto* data = graph().constant_data()->Get(i + 1);
    std::vector<T> values(data->size() / sizeof(T));
    std::memcpy(values.data(), blob.data() + start + data->offset(), data->size());
    return values;
  }
};

Built build(const Maker& maker, bool allow_reduced_precision = false) {
  Built built;
  const auto outcome = make_builder(allow_reduced_precision)
                           ->build(maker.graph, [&](std::span<const std::byte> bytes) -> Status {
                             built.blob.insert(built.blob.end(), bytes.begin(), bytes.end());
                             return {};
                           });
  EXPECT_TRUE(outcome.ok()) << outcome.error().message();
  if (const auto* refusals = std::get_if<std::vector<engine_build::Refusal>>(&*outcome)) {
    built.refusals = *refusals;
    return built;
  }
  // The delegate gets nothing that the reader would refuse.
  const engine::BlobSurroundings alone = {[](std::string_view) { return std::nullopt; },
                                          [](uint64_t) { return Status(); }};
  const auto ends = check_graph(built.blob, alone);
  EXPECT_TRUE(ends.ok()) << ends.error().message();
  if (ends.ok()) {
    EXPECT_EQ(ends->size(), maker.graph.inputs.size() + maker.graph.outputs.size());
  }
  return built;
}

std::string refusal(const Maker& maker) {
  const Built built = build(maker);
  if (built.refusals.size() != 1) return "not one refusal";
  return built.refusals.front().origin + ": " + built.refusals.front().reason;
}

TEST(XnnpackBuilder, TransposesWhereValuesEnterAndLeaveAlone) {
  Maker maker;
  maker.input("x", {kBatch, 3, 8, 8});
  maker.weight("w", {4, 3, 3, 3});
  maker.weight("v", {4, 1, 3, 3});
  maker.node("Conv", {"x", "w"}, "a");
  maker.node("Relu", {"a"}, "b");
  maker.node("Conv", {"b", "v"}, "c", {{"group", int64_t{4}}});
  maker.node("Add", {"c", "c"}, "d");
  maker.node("GlobalAveragePool", {"d"}, "e");
  maker.integers("shape", {0, -1});
  maker.node("Reshape", {"e", "shape"}, "y");
  maker.output("y", {kBatch, 4});
  EXPECT_THAT(build(maker).kinds(),
              ElementsAre("StaticTranspose", "Conv2d", "Clamp", "DepthwiseConv2d", "Add",
                          "GlobalAvgPooling2d", "StaticReshape"));
}

TEST(XnnpackBuilder, LaysWeightsOutWithTheChannelsLast) {
  Maker maker;
  maker.input("x", {1, 2, 4});
  maker.weight("w", {1, 2, 2});
  maker.node("Conv", {"x", "w"}, "y");
  maker.output("y", {1, 1, 3});
  EXPECT_THAT(build(maker).constant(0), ElementsAre(1, 3, 2, 4));
}

TEST(XnnpackBuilder, JoinsNormsToTheConvolutionBeforeThem) {
  Maker maker;
  maker.input("x", {1, 1, 2, 2});
  maker.weight("w", {2, 1, 1, 1});
  maker.weight("b", {2});
  const auto two = [&](const std::string& name, float a, float b) {
    maker.constant<float>(name, DType::kFloat32, {2}, {a, b});
  };
  two("scale", 2, 3);
  two("shift", 5, 7);
  two("mean", 1, 1);
  two("variance", 4, 9);
  maker.node("Conv", {"x", "w", "b"}, "a");
  maker.node("BatchNormalization", {"a", "scale", "shift", "mean", "variance"}, "y",
             {{"epsilon", 0.0F}});
  maker.output("y", {1, 2, 2, 2});
  const Built built = build(maker);
  EXPECT_THAT(built.kinds(), ElementsAre("StaticReshape", "Conv2d", "StaticTranspose"));
  // (w x + b - mean) * scale / sqrt(variance) + shift
  EXPECT_THAT(built.constant(0), ElementsAre(5, 8));
  EXPECT_THAT(built.constant(1), ElementsAre(1, 2));
}

TEST(XnnpackBuilder, GivesWhatNoNodeMakes) {
  Maker maker;
  maker.input("x", {2});
  maker.node("Abs", {"x"}, "y");
  maker.output("y", {2});
  maker.output("y", {2});
  maker.output("x", {2});
  EXPECT_THAT(build(maker).kinds(), ElementsAre("Abs", "Copy", "Copy"));
}

// The delegate frees what it does not pack.
TEST(XnnpackBuilder, ReadsNoConstantsButWeightsAndBiases) {
  Maker maker;
  maker.input("x", {2});
  maker.weight("c", {2});
  maker.node("Add", {"x", "c"}, "y");
  maker.output("y", {2});
  const Built built = build(maker);
  EXPECT_THAT(built.kinds(), ElementsAre("StaticSlice", "StaticReshape", "StaticConstantPad",
                                         "StaticSlice", "FullyConnected", "Add"));
  EXPECT_THAT(built.constant(1), ElementsAre(1, 2));
}

// Moved as they are, computed with in float32, and rounded where the program says.
TEST(XnnpackBuilder, ComputesHalvesInFloat32) {
  Maker maker;
  maker.input("x", {2, 3}, DType::kFloat16);
  maker.constant<uint16_t>("w", DType::kFloat16, {2, 3}, {0x3c00, 0xc000, 1, 0x7c00, 0x8000, 0});
  maker.cast("x", "a", DType::kFloat32);
  maker.constant<uint16_t>("u", DType::kFloat16, {2}, {0x8000, 0x0001});
  maker.cast("w", "v", DType::kFloat32);
  maker.cast("u", "t", DType::kFloat32);
  maker.node("Gemm", {"a", "v", "t"}, "b", {{"transB", int64_t{1}}});
  maker.cast("b", "c", DType::kFloat16);
  maker.cast("c", "d", DType::kFloat32);
  maker.node("Transpose", {"d"}, "e", {{"perm", Integers{1, 0}}});
  maker.cast("e", "y", DType::kFloat16);
  maker.node("Abs", {"e"}, "z");
  maker.output("y", {2, 2}, DType::kFloat16);
  maker.output("z", {2, 2});
  maker.output("d", {2, 2});
  const Built built = build(maker);
  EXPECT_THAT(built.kinds(), ElementsAre("Convert", "FullyConnected", "Convert", "StaticTranspose",
                                         "Convert", "Abs", "Copy", "Convert"));
  EXPECT_THAT(built.constant<uint16_t>(0), ElementsAre(0x3c00, 0xc000, 1, 0x7c00, 0x8000, 0));
  EXPECT_THAT(built.constant(1), ElementsAre(0, 0x1p-24F));
  EXPECT_TRUE(std::signbit(built.constant(1)[0]));
  std::map<uint32_t, xnn::XNNDatatype> ends;
  for (const auto* value : *built.graph().xvalues()) {
    const auto* tensor = value->xvalue_union_as_XNNTensorValue();
    if (tensor->flags() != 0) ends[tensor->external_id()] = tensor->datatype();
  }
  constexpr auto kHalf = xnn::XNNDatatype::xnn_datatype_fp16;
  constexpr auto kFloat = xnn::XNNDatatype::xnn_datatype_fp32;
  EXPECT_THAT(ends, ElementsAre(Pair(0, kHalf), Pair(1, kHalf), Pair(2, kFloat), Pair(3, kFloat)));
}

TEST(XnnpackBuilder, RoundsOutputsAloneWithReducedPrecision) {
  Maker maker;
  maker.input("x", {2}, DType::kFloat16);
  maker.cast("x", "a", DType::kFloat32);
  maker.node("Sigmoid", {"a"}, "b");
  maker.cast("b", "c", DType::kFloat16);
  maker.cast("c", "d", DType::kFloat32);
  maker.node("Tanh", {"d"}, "e");
  maker.cast("e", "y", DType::kFloat16);
  maker.output("y", {2}, DType::kFloat16);
  EXPECT_THAT(build(maker).kinds(),
              ElementsAre("Convert", "Sigmoid", "Convert", "Convert", "Tanh", "Convert"));
  EXPECT_THAT(build(maker, /*allow_reduced_precision=*/true).kinds(),
              ElementsAre("Convert", "Sigmoid", "Tanh", "Convert"));
}

// As not every processor compares halves.
TEST(XnnpackBuilder, PoolsHalvesInFloat32) {
  Maker maker;
  maker.input("x", {1, 2, 4, 4}, DType::kFloat16);
  maker.cast("x", "a", DType::kFloat32);
  maker.node("MaxPool", {"a"}, "b", {{"kernel_shape", Integers{2, 2}}});
  maker.cast("b", "y", DType::kFloat16);
  maker.output("y", {1, 2, 3, 3}, DType::kFloat16);
  EXPECT_THAT(build(maker).kinds(), ElementsAre("StaticTranspose", "Convert", "MaxPooling2d",
                                                "Convert", "StaticTranspose"));
}

TEST(XnnpackBuilder, RoundsFromOneHalfTypeToTheOther) {
  Maker maker;
  maker.input("x", {2}, DType::kBFloat16);
  maker.cast("x", "y", DType::kFloat16);
  maker.output("y", {2}, DType::kFloat16);
  EXPECT_THAT(build(maker).kinds(), ElementsAre("Convert", "Convert"));
}

TEST(XnnpackBuilder, ComputesNothingInHalves) {
  Maker maker;
  maker.input("x", {2}, DType::kFloat16);
  maker.node("Abs", {"x"}, "y");
  maker.output("y", {2}, DType::kFloat16);
  EXPECT_EQ(refusal(maker), "y: it computes in float32, and rounds to float16");
}

TEST(XnnpackBuilder, RefusesTheNodeThatItHasNot) {
  Maker maker;
  maker.input("x", {kBatch, 3});
  maker.node("Erf", {"x"}, "a");
  maker.node("Relu", {"a"}, "y");
  maker.output("y", {kBatch, 3});
  EXPECT_EQ(refusal(maker), "a: XNNPACK has no Erf");
}

TEST(XnnpackBuilder, RefusesWhatItComputesOtherwise) {
  Maker weights;
  weights.input("x", {1, 1, 4, 4});
  weights.input("w", {1, 1, 3, 3});
  weights.node("Conv", {"x", "w"}, "y");
  weights.output("y", {1, 1, 2, 2});
  EXPECT_THAT(refusal(weights), HasSubstr("constant weights alone"));

  Maker extrema;
  extrema.input("x", {3});
  extrema.node("Max", {"x", "x"}, "y");
  extrema.output("y", {3});
  EXPECT_THAT(refusal(extrema), HasSubstr("loses NaN"));

  Maker pool;
  pool.input("x", {1, 1, 2, 2});
  pool.node("MaxPool", {"x"}, "y",
            {{"kernel_shape", Integers{2, 2}},
             {"dilations", Integers{3, 3}},
             {"pads", Integers{1, 1, 1, 1}}});
  pool.output("y", {1, 1, 1, 1});
  EXPECT_THAT(refusal(pool), HasSubstr("miss the image"));

  Maker types;
  types.input("x", {3}, DType::kFloat64);
  types.node("Relu", {"x"}, "y");
  types.output("y", {3});
  EXPECT_THAT(refusal(types), HasSubstr("float64"));
}

TEST(XnnpackBuilder, RefusesSizesThatContradictEachOther) {
  Maker joined;
  joined.input("x", {2, 3});
  joined.input("z", {3});
  joined.node("Concat", {"x", "z"}, "y", {{"axis", int64_t{1}}});
  joined.output("y", {2, 4});
  EXPECT_THAT(refusal(joined), HasSubstr("do not fit each other"));

  Maker flat;
  flat.input("x", {2, 3});
  flat.weight("w", {4, 3});
  flat.node("Conv", {"x", "w"}, "y");
  flat.output("y", {2, 4});
  EXPECT_THAT(refusal(flat), HasSubstr("dimensions of space"));
}

// x of [1, 2, 2, 2], a convolution of it by a weight of int8, and what is quantized of that.
struct QuantizedConv : Maker {
  std::vector<float> scales = {0.5F, 0.25F};
  std::vector<float> bias = {1, -1};
  float made_scale = 2;

  void make(const std::function<void(const std::string&)>& add_tail) {
    input("x", {1, 2, 2, 2});
    round("x", "a", 0.5F, 3);
    quantized_weight("w", {2, 2, 2, 1}, scales);
    constant("b", DType::kFloat32, {2}, bias);
    node("Conv", {"a", "w", "b"}, "c");
    add_tail("c");
    output("y", {1, 2, 1, 2});
  }
  void make_rounded() {
    make([&](const std::string& from) { round(from, "y", made_scale, 1); });
  }
};

TEST(XnnpackBuilder, ComputesInEightBitsBetweenWhatIsQuantized) {
  QuantizedConv maker;
  maker.make_rounded();
  const Built built = build(maker);
  EXPECT_THAT(built.kinds(),
              ElementsAre("Convert", "StaticTranspose", "Conv2d", "StaticTranspose", "Convert"));
  // With the channels last, and a bias in steps of the sums.
  EXPECT_THAT(built.constant<int8_t>(0), ElementsAre(1, 3, 2, 4, 5, 7, 6, 8));
  EXPECT_THAT(built.constant<int32_t>(1), ElementsAre(4, -8));
}

TEST(XnnpackBuilder, JoinsLimitsToWhatIsComputedInEightBits) {
  const auto limits_of = [](const std::function<void(Maker&)>& add_tail) {
    QuantizedConv maker;
    maker.number("low", -6);
    maker.number("high", 6);
    maker.make([&](const std::string&) { add_tail(maker); });
    const Built built = build(maker);
    std::vector<float> limits;
    for (const auto* node : *built.graph().xnodes()) {
      if (node->xnode_union_type() != xnn::XNodeUnion::XNNConv2d) continue;
      limits = {node->output_min_max()->output_min(), node->output_min_max()->output_max()};
    }
    EXPECT_THAT(built.kinds(),
                ElementsAre("Convert", "StaticTranspose", "Conv2d", "StaticTranspose", "Convert"));
    return limits;
  };
  EXPECT_THAT(limits_of([](Maker& maker) {
                maker.node("Relu", {"c"}, "d");
                maker.node("Clip", {"d", "low", "high"}, "e");
                maker.round("e", "y", 2, 1);
              }),
              ElementsAre(0, 6));
  EXPECT_THAT(limits_of([](Maker& maker) {
                maker.round("c", "d", 2, 1);
                maker.node("Clip", {"d", "low", "high"}, "e");
                maker.round("e", "y", 2, 1);
              }),
              ElementsAre(-6, 6));
}

TEST(XnnpackBuilder, ComputesInFloatWhereEightBitsDoNotDo) {
  const auto kinds_of = [](const std::function<void(QuantizedConv&)>& change,
                           bool is_read = false) {
    QuantizedConv maker;
    change(maker);
    maker.make([&](const std::string& from) {
      maker.round(from, "y", maker.made_scale, 1);
      if (is_read) maker.output("c", {1, 2, 1, 2});
    });
    return build(maker).kinds();
  };
  const auto in_float = testing::Contains("Convert").Times(testing::Ge(3));
  EXPECT_THAT(kinds_of([](QuantizedConv&) {}), testing::Not(in_float));
  // Something reads the sums.
  EXPECT_THAT(kinds_of([](QuantizedConv&) {}, true), in_float);
  // A factor between the steps that is too large, and a bias of too many of them.
  EXPECT_THAT(kinds_of([](QuantizedConv& maker) { maker.made_scale = 1e-4F; }), in_float);
  EXPECT_THAT(kinds_of([](QuantizedConv& maker) { maker.bias[1] = 1e9F; }), in_float);
  EXPECT_THAT(kinds_of([](QuantizedConv& maker) { maker.scales[0] = 0; }), in_float);
}

TEST(XnnpackBuilder, HasScalesAndBiasesOfManyOutputs) {
  constexpr int64_t kOutputs = 32000;
  Maker maker;
  maker.input("x", {1, 1});
  maker.round("x", "a", 0.5F, 3);
  maker.quantized_weight("w", {kOutputs, 1}, std::vector<float>(kOutputs, 0.25F));
  maker.weight("b", {kOutputs});
  maker.node("Gemm", {"a", "w", "b"}, "c", {{"transB", int64_t{1}}});
  maker.round("c", "y", 2, 1);
  maker.output("y", {1, kOutputs});
  EXPECT_THAT(build(maker).kinds(), ElementsAre("Convert", "FullyConnected", "Convert"));
}

TEST(XnnpackBuilder, AddsUpInEightBitsOverKnownSizesAlone) {
  const auto kinds_of = [](const SymInt& batch) {
    Maker maker;
    maker.input("x", {batch, 3, 4, 4});
    maker.round("x", "a", 0.5F, 3);
    maker.node("GlobalAveragePool", {"a"}, "b");
    maker.round("b", "y", 0.25F, 3);
    maker.output("y", {batch, 3, 1, 1});
    return build(maker).kinds();
  };
  EXPECT_THAT(kinds_of(2), ElementsAre("Convert", "StaticTranspose", "GlobalAvgPooling2d",
                                       "StaticReshape", "Convert"));
  EXPECT_THAT(kinds_of(kBatch),
              ElementsAre("Convert", "StaticTranspose", "Convert", "GlobalAvgPooling2d", "Convert",
                          "StaticReshape", "Convert"));
}

TEST(XnnpackBuilder, MovesWhatIsQuantized) {
  Maker maker;
  maker.input("x", {1, 3, 4, 4}, DType::kInt8);
  maker.step("DequantizeLinear", "x", "a", 0.5F, 3);
  maker.node("MaxPool", {"a"}, "b", {{"kernel_shape", Integers{2, 2}}});
  maker.node("Concat", {"b", "b"}, "c", {{"axis", int64_t{1}}});
  maker.integers("shape", {1, -1});
  maker.node("Reshape", {"c", "shape"}, "d");
  maker.step("QuantizeLinear", "d", "y", 0.5F, 3);
  maker.output("y", {1, 54}, DType::kInt8);
  const Built built = build(maker);
  EXPECT_THAT(built.kinds(), ElementsAre("StaticTranspose", "MaxPooling2d", "Concatenate2",
                                         "StaticTranspose", "StaticReshape", "Copy"));
  for (const auto* value : *built.graph().xvalues()) {
    EXPECT_EQ(value->xvalue_union_type(), xnn::XValueUnion::XNNQuantizedTensorValue);
  }
}

TEST(XnnpackBuilder, KeepsWeightsOfFloatProductsInInt8) {
  Maker maker;
  maker.input("x", {kBatch, 3});
  maker.quantized_weight("w", {3, 2}, {0.5F, 0.25F}, 1);
  maker.node("MatMul", {"x", "w"}, "y");
  maker.output("y", {kBatch, 2});
  const Built built = build(maker);
  EXPECT_THAT(built.kinds(), ElementsAre("FullyConnected"));
  EXPECT_THAT(built.constant<int8_t>(0), ElementsAre(1, 3, 5, 2, 4, 6));

  // With scales of what is added up, they are floats.
  Maker rows;
  rows.input("x", {kBatch, 3});
  rows.quantized_weight("w", {3, 2}, {0.5F, 0.25F, 2}, 0);
  rows.node("MatMul", {"x", "w"}, "y");
  rows.output("y", {kBatch, 2});
  EXPECT_THAT(build(rows).constant(0), ElementsAre(0.5F, 0.75F, 10, 1, 1, 12));

  // XNNPACK has no scale of 0.
  Maker zero;
  zero.input("x", {kBatch, 3});
  zero.quantized_weight("w", {3, 2}, {0, 1}, 1);
  zero.node("MatMul", {"x", "w"}, "y");
  zero.output("y", {kBatch, 2});
  EXPECT_THAT(build(zero).constant(0), ElementsAre(0, 0, 0, 2, 4, 6));
}

// A product with rows that are quantized, and a weight of levels that count from 1.
Maker quantized_rows(const Integers& sizes, const std::vector<float>& scales,
                     const std::vector<std::pair<std::string, onnx::Attribute>>& attributes) {
  Maker maker;
  maker.input("x", {kBatch, sizes[1]});
  maker.node("FakeQuantizeRows", {"x"}, "a");
  std::vector<int8_t> values;
  for (int i = 0; i < sizes[0] * sizes[1]; ++i) values.push_back(static_cast<int8_t>(i % 8 - 2));
  maker.constant("levels", DType::kInt8, sizes, values);
  maker.constant("scales", DType::kFloat32, {static_cast<int64_t>(scales.size())}, scales);
  maker.node("DequantizeLinear", {"levels", "scales"}, "w", attributes);
  maker.weight("b", {sizes[0]});
  maker.node("Gemm", {"a", "w", "b"}, "y", {{"transB", int64_t{1}}});
  maker.output("y", {kBatch, sizes[0]});
  return maker;
}

TEST(XnnpackBuilder, QuantizesRowsForProducts) {
  const auto eight = build(quantized_rows({2, 3}, {0.5F, 0.25F}, {{"axis", int64_t{0}}}));
  EXPECT_THAT(eight.kinds(), ElementsAre("Convert", "FullyConnected", "FullyConnected", "Add"));
  EXPECT_THAT(eight.constant<int8_t>(0), ElementsAre(-2, -1, 0, 1, 2, 3));

  // Two levels a byte, 8 higher; rows begin at a byte.
  const auto four =
      build(quantized_rows({2, 3}, {0.5F, 0.25F}, {{"axis", int64_t{0}}, {"bits", int64_t{4}}}));
  EXPECT_THAT(four.kinds(), ElementsAre("Convert", "FullyConnected", "FullyConnected", "Add"));
  EXPECT_THAT(four.constant<uint8_t>(0), ElementsAre(0x76, 0x88, 0xA9, 0x8B));
}

TEST(XnnpackBuilder, HasScalesOfGroupsInBfloat16) {
  const std::vector<std::pair<std::string, onnx::Attribute>> groups = {
      {"axis", int64_t{1}}, {"block_size", int64_t{32}}, {"bits", int64_t{4}}};
  const auto built = build(quantized_rows({1, 64}, {0.5F, 0.25F}, groups));
  EXPECT_THAT(built.constant<uint16_t>(0), ElementsAre(0x3F00, 0x3E80));
  EXPECT_EQ(built.constant<uint8_t>(1).size(), 32U);

  const Maker others = quantized_rows({1, 64}, {0.1F, 0.25F}, groups);
  EXPECT_THAT(refusal(others), HasSubstr("weight_scale_dtype=torch.bfloat16"));
  EXPECT_THAT(build(others, /*allow_reduced_precision=*/true).constant<uint16_t>(0),
              ElementsAre(0x3DCD, 0x3E80));
}

TEST(XnnpackBuilder, RefusesToQuantizeRowsForOthers) {
  Maker other;
  other.input("x", {kBatch, 3});
  other.node("FakeQuantizeRows", {"x"}, "a");
  other.node("Abs", {"a"}, "y");
  other.output("y", {kBatch, 3});
  EXPECT_THAT(refusal(other), HasSubstr("y: XNNPACK quantizes rows for products"));

  Maker plain;
  plain.input("x", {kBatch, 3});
  plain.node("FakeQuantizeRows", {"x"}, "a");
  plain.weight("w", {3, 2});
  plain.node("MatMul", {"a", "w"}, "y");
  plain.output("y", {kBatch, 2});
  EXPECT_THAT(refusal(plain), HasSubstr("weights of 8 or 4 bits"));

  Maker divided;
  divided.input("x", {kBatch, 4});
  divided.node("FakeQuantizeRows", {"x"}, "a");
  divided.integers("shape", {-1, 2});
  divided.node("Reshape", {"a", "shape"}, "y");
  divided.output("y", {kBatch * 2, 2});
  EXPECT_THAT(refusal(divided), HasSubstr("divides rows"));

  EXPECT_THAT(refusal(quantized_rows(
                  {1, 32}, {0.5F, 0.25F},
                  {{"axis", int64_t{1}}, {"block_size", int64_t{16}}, {"bits", int64_t{4}}})),
              HasSubstr("groups of 32 levels"));
}

TEST(XnnpackBuilder, RefusesWhatItDoesNotQuantize) {
  Maker channels;
  channels.input("x", {2, 3});
  channels.constant<float>("s", DType::kFloat32, {3}, {1, 2, 3});
  channels.constant<int8_t>("z", DType::kInt8, {3}, {0, 0, 0});
  channels.node("QuantizeLinear", {"x", "s", "z"}, "y");
  channels.output("y", {2, 3}, DType::kInt8);
  EXPECT_THAT(refusal(channels), HasSubstr("by a scale and a zero point that are known"));

  Maker bytes;
  bytes.input("x", {2});
  bytes.constant<float>("s", DType::kFloat32, {}, {1});
  bytes.constant<uint8_t>("z", DType::kUInt8, {}, {0});
  bytes.node("QuantizeLinear", {"x", "s", "z"}, "y");
  bytes.output("y", {2}, DType::kUInt8);
  EXPECT_THAT(refusal(bytes), HasSubstr("quantizes to int8"));

  Maker other;
  other.input("x", {2});
  other.step("QuantizeLinear", "x", "q", 1, 0);
  other.step("DequantizeLinear", "q", "y", 1, 1);
  other.output("y", {2});
  EXPECT_THAT(refusal(other), HasSubstr("otherwise than it has been quantized"));
}

TEST(XnnpackBuilder, TakesAsManyTensorsAsTheDelegate) {
  Maker maker;
  maker.input("x", {2});
  maker.node("Abs", {"x"}, "y");
  for (int i = 0; i < 4096; ++i) maker.output("y", {2});
  EXPECT_EQ(refusal(maker), ": XNNPACK takes and gives 4096 tensors at most");
}

TEST(XnnpackBuilder, MakesNothingOfWhatStaysAsItIs) {
  Maker maker;
  maker.graph.ranges = {{"n", {1, 8}}, {"m", {1, 8}}};
  const SymInt length = SymInt::symbol("m");
  maker.input("x", {kBatch, length});
  maker.node("Identity", {"x"}, "a");
  maker.node("Abs", {"a"}, "y");
  maker.output("y", {kBatch, length});
  EXPECT_THAT(build(maker).kinds(), ElementsAre("Abs"));
}

TEST(XnnpackBuilder, RefusesSizesThatItCanNotFollow) {
  Maker unbounded;
  unbounded.graph.ranges = {{"n", {1, std::nullopt}}};
  unbounded.input("x", {kBatch});
  unbounded.node("Relu", {"x"}, "y");
  unbounded.output("y", {kBatch});
  EXPECT_THAT(refusal(unbounded), HasSubstr("no bounds"));

  Maker empty;
  empty.graph.ranges = {{"n", {0, 8}}};
  empty.input("x", {kBatch});
  empty.node("Relu", {"x"}, "y");
  empty.output("y", {kBatch});
  EXPECT_THAT(refusal(empty), HasSubstr("no elements"));

  Maker part;
  part.input("x", {kBatch, 4});
  for (const char* name : {"starts", "axes", "steps"}) part.integers(name, {1});
  part.integers("ends", {3});
  part.node("Slice", {"x", "starts", "ends", "axes", "steps"}, "y");
  part.output("y", {kBatch, 2});
  EXPECT_THAT(refusal(part), HasSubstr("size beforehand"));

  Maker falling;
  falling.input("x", {SymInt(9) - kBatch});
  falling.node("Relu", {"x"}, "y");
  falling.output("y", {SymInt(9) - kBatch});
  EXPECT_THAT(refusal(falling), HasSubstr("do not grow"));
}

}  // namespace
}  // namespace slipway::xnnpack
