// Which kernels convolutions and what surrounds them become.
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cuda/builder/generator_test.h"

namespace slipway::cuda {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ConvolutionsTest, ClustersAddUpThePartsOfConvolutionsForHopperAlone) {
  Maker m;
  m.input("x", {1, 256, 14, 14});
  m.input("w", {256, 256, 3, 3});
  m.node("Conv", {"x", "w"}, "result", {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  m.output("result", {1, 256, 14, 14});
  const size_t steps = generate(m.graph).engine.steps.size();
  const Generated made = generate(m.graph, true);
  EXPECT_THAT(made.kernels, HasSubstr("S_CLUSTER("));
  EXPECT_EQ(made.engine.steps.size() + 1, steps);
}

// Of one tap at each place, what lies in the engine's own memory is a matrix, else its windows are
// boxes, here of eight rows of 16 places.
TEST(ConvolutionsTest, ClustersCopyWindowsInBoxesForHopperAlone) {
  for (const int64_t reach : {0, 1}) {
    Maker m;
    m.input("x", {32, 1024, 16, 16});
    add_half(m, "x", "a", DType::kFloat16);
    const int64_t taps = 2 * reach + 1;
    m.constant("w", DType::kFloat16, {256, 1024, taps, taps},
               std::vector<uint16_t>(static_cast<size_t>(256 * 1024 * taps * taps)));
    m.node("Cast", {"w"}, "b", {{"to", int64_t{1}}});
    m.node("Conv", {"a", "b"}, "result", {{"pads", std::vector<int64_t>(4, reach)}});
    m.output("result", {32, 256, 16, 16});
    EXPECT_THAT(generate(m.graph).kernels, Not(HasSubstr("s_cluster_product<")));
    const Generated made = generate(m.graph, true);
    EXPECT_TRUE(made.refusals.empty());
    EXPECT_THAT(made.kernels, HasSubstr("s_cluster_product<s_float16_product, "));
    EXPECT_THAT(made.kernels, HasSubstr(reach == 0 ? "s_matrix_rows<Index>{"
                                                   : "s_window_rows<1, 8, 16, Index> a"));
  }
}

TEST(ConvolutionsTest, BetweenConvolutionsChannelsAreInnermost) {
  Maker m;
  m.input("x", {1, 8, 10, 10});
  m.constant("v", DType::kFloat32, {16, 8, 3, 3}, std::vector<float>(16 * 8 * 9));
  m.constant("w", DType::kFloat32, {16, 16, 3, 3}, std::vector<float>(16 * 16 * 9));
  m.node("Conv", {"x", "v"}, "first");
  m.node("Relu", {"first"}, "relu");
  m.node("Conv", {"relu", "w"}, "result");
  m.output("result", {1, 16, 6, 6});
  const Generated made = generate(m.graph);
  EXPECT_TRUE(made.refusals.empty());
  // The elements of x, as the caller has them, are taken one by one.
  EXPECT_THAT(made.kernels, HasSubstr("s_load_elements<Tile_a"));
  EXPECT_THAT(made.kernels, HasSubstr("s_load_vectors<Tile_a"));
  EXPECT_THAT(made.kernels, HasSubstr("s_load_vectors<Tile_b"));
}

// [1, 16, 10, 10] of halves, by a convolution of 3 by 3.
void add_convolution(Maker& m, const std::string& x, int64_t channels, const std::string& name) {
  const auto count = static_cast<size_t>(16 * channels * 9);
  m.constant(name + "_w", DType::kFloat16, {16, channels, 3, 3}, std::vector<uint16_t>(count));
  m.node("Cast", {name + "_w"}, name + "_filters", {{"to", int64_t{1}}});
  m.node("Conv", {x, name + "_filters"}, name + "_sums",
         {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  add_half(m, name + "_sums", name, DType::kFloat16);
}

TEST(ConvolutionsTest, WhatBecomesOneValueAgainIsInTheirKernel) {
  for (const bool is_output : {false, true}) {
    Maker m;
    m.input("x", {1, 8, 10, 10});
    add_convolution(m, "x", 8, "first");
    m.node("Sigmoid", {"first"}, "sigmoid");
    m.node("Mul", {"first", "sigmoid"}, "silu");
    m.node("Tanh", {"silu"}, "tanh");
    m.node("Clip", {"silu"}, "clip");
    m.node("Sub", {"clip", "tanh"}, "result");
    m.output("result", {1, 16, 10, 10});
    if (is_output) m.output("sigmoid", {1, 16, 10, 10});
    const Generated made = generate(m.graph);
    EXPECT_TRUE(made.refusals.empty());
    EXPECT_EQ(made.engine.steps.size(), is_output ? 3U : 1U);
  }
}

// Another kernel would have to wait for the second convolution.
TEST(ConvolutionsTest, WhatNeedsAnotherOfThemIsNotInTheirKernel) {
  Maker m;
  m.input("x", {1, 8, 10, 10});
  add_convolution(m, "x", 8, "first");
  add_convolution(m, "x", 8, "second");
  m.node("Sigmoid", {"first"}, "sigmoid");
  m.node("Mul", {"second", "sigmoid"}, "product");
  m.node("Add", {"product", "first"}, "result");
  m.output("result", {1, 16, 10, 10});
  const Generated made = generate(m.graph);
  EXPECT_TRUE(made.refusals.empty());
  EXPECT_EQ(made.engine.steps.size(), 2U);
}

TEST(ConvolutionsTest, WhatIsPutTogetherOrSelectedOfHalvesIsOfHalves) {
  Maker m;
  m.input("x", {1, 8, 10, 10});
  add_half(m, "x", "half", DType::kFloat16);
  add_convolution(m, "half", 8, "first");
  add_convolution(m, "first", 16, "second");
  m.constant("most", DType::kFloat32, {}, std::vector<float>{6});
  m.node("Min", {"second", "most"}, "least");
  m.node(
      "MaxPool", {"least"}, "pooled",
      {{"kernel_shape", std::vector<int64_t>{3, 3}}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  m.node("Concat", {"first", "pooled"}, "both", {{"axis", int64_t{1}}});
  add_convolution(m, "both", 32, "result");
  m.output("result", {1, 16, 10, 10});
  const Generated made = generate(m.graph);
  EXPECT_TRUE(made.refusals.empty());
  ASSERT_EQ(made.engine.steps.size(), 6U);
  EXPECT_THAT(made.kernels, Not(HasSubstr("s_float_sums")));
  // All of them have the channels innermost.
  EXPECT_THAT(made.kernels, Not(HasSubstr("s_load_elements<Tile_a")));
}

TEST(ConvolutionsTest, PartsOfTheirChannelsAreReadWhereTheyLie) {
  Maker m;
  m.input("x", {1, 8, 10, 10});
  add_convolution(m, "x", 8, "first");
  m.integers("lengths", {8, 8});
  m.node("Split", {"first", "lengths"}, "left", {{"axis", int64_t{1}}});
  m.graph.nodes.back().outputs.emplace_back("right");
  add_convolution(m, "left", 8, "second");
  add_convolution(m, "right", 8, "third");
  m.output("second", {1, 16, 10, 10});
  m.output("third", {1, 16, 10, 10});
  const Generated made = generate(m.graph);
  EXPECT_TRUE(made.refusals.empty());
  EXPECT_EQ(made.engine.steps.size(), 3U);
}

TEST(ConvolutionsTest, FactorsOfBatchNormalizationAreConstants) {
  Maker m;
  m.input("x", {1, 2, 4});
  m.constant("scale", DType::kFloat32, {2}, std::vector<float>{3, 1});
  m.constant("shift", DType::kFloat32, {2}, std::vector<float>{0, 1});
  m.constant("variance", DType::kFloat32, {2}, std::vector<float>{4, 0.5F});
  m.node("BatchNormalization", {"x", "scale", "shift", "shift", "variance"}, "result",
         {{"epsilon", 0.0F}});
  m.output("result", {1, 2, 4});
  const auto constants = engine_build::Constants::of(m.graph);
  Generator generator(m.graph, *constants, {});
  EXPECT_TRUE(generator.run().empty());
  EXPECT_THAT(generator.source(), Not(HasSubstr("(1 / s_sqrt(")));
  std::vector<float> factors(2);
  for (const Generator::Constant& constant : generator.constants()) {
    if (constant.owner == nullptr) continue;
    ASSERT_EQ(constant.bytes.size(), 8U);
    std::memcpy(factors.data(), constant.bytes.data(), 8);
  }
  EXPECT_EQ(factors, (std::vector<float>{1.5F, 1 / std::sqrt(0.5F)}));
}

}  // namespace
}  // namespace slipway::cuda
