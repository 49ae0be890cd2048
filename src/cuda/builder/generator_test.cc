#include "cuda/builder/generator.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "onnx/graph_maker_test.h"

namespace slipway::cuda {
namespace {

using ir::SymInt;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const SymInt kRows = SymInt::symbol("s0");

using Maker = onnx::GraphMaker;

struct Generated {
  std::vector<engine_build::Refusal> refusals;
  table::EngineT engine;
  std::string kernels;  // without the prelude
};

Generated generate(const onnx::Graph& graph) {
  const auto constants = engine_build::Constants::of(graph);
  EXPECT_TRUE(constants.ok());
  Generator generator(graph, *constants);
  Generated result;
  result.refusals = generator.run();
  result.engine = generator.take_engine();
  const std::string source = generator.source();
  const size_t first = source.find("extern \"C\"");
  if (first != std::string::npos) result.kernels = source.substr(first);
  return result;
}

TEST(GeneratorTest, WhatIsPointwiseBecomesOneKernel) {
  Maker m;
  m.input("x", {kRows, 4});
  m.input("y", {4});
  m.node("Add", {"x", "y"}, "sum");
  m.node("Exp", {"sum"}, "exp");
  m.node("Mul", {"exp", "x"}, "result");
  m.output("result", {kRows, 4});
  const Generated made = generate(m.graph);
  EXPECT_TRUE(made.refusals.empty());
  ASSERT_EQ(made.engine.steps.size(), 1U);
  EXPECT_EQ(made.engine.buffers.size(), 3U);  // nothing between the inputs and the output
  EXPECT_THAT(made.kernels, HasSubstr("s_exp("));
}

TEST(GeneratorTest, WhatFollowsAReductionIsInItsKernel) {
  Maker m;
  m.input("x", {8, 1000});
  m.integers("axes", {1});
  m.node("ReduceMean", {"x", "axes"}, "mean", {{"keepdims", int64_t{1}}});
  m.node("Sqrt", {"mean"}, "result");
  m.output("result", {8, 1});
  const Generated made = generate(m.graph);
  EXPECT_TRUE(made.refusals.empty());
  EXPECT_EQ(made.engine.steps.size(), 1U);
  EXPECT_THAT(made.kernels, HasSubstr("S_BLOCK_REDUCE"));
}

TEST(GeneratorTest, WhatHasSeveralReadersIsComputedOnce) {
  Maker m;
  m.input("x", {16});
  m.node("Exp", {"x"}, "exp");
  m.node("Sin", {"exp"}, "sin");
  m.node("Cos", {"exp"}, "cos");
  m.node("Tanh", {"exp"}, "tanh");
  for (const char* name : {"sin", "cos", "tanh"}) m.output(name, {16});
  m.node("Exp", {"exp"}, "again");
  m.output("again", {16});
  const Generated made = generate(m.graph);
  EXPECT_TRUE(made.refusals.empty());
  // One function is cheap enough to be computed by each reader.
  EXPECT_EQ(made.engine.steps.size(), 4U);

  m.node("Gelu", {"sin"}, "gelu");
  m.graph.outputs.clear();
  m.node("Sin", {"gelu"}, "a");
  m.node("Cos", {"gelu"}, "b");
  m.output("a", {16});
  m.output("b", {16});
  EXPECT_EQ(generate(m.graph).engine.steps.size(), 3U);
}

TEST(GeneratorTest, EqualKernelsAreThereOnce) {
  Maker m;
  m.input("x", {16});
  m.input("y", {16});
  m.node("Sin", {"x"}, "a");
  m.node("Sin", {"y"}, "b");
  m.output("a", {16});
  m.output("b", {16});
  const Generated made = generate(m.graph);
  EXPECT_EQ(made.engine.steps.size(), 2U);
  EXPECT_THAT(made.engine.kernels, ElementsAre("k0"));
}

TEST(GeneratorTest, SizesAreNotComputedByKernels) {
  Maker m;
  m.input("x", {kRows, 6});
  m.integers("first", {0});
  m.integers("two", {2});
  m.integers("rest", {3});
  m.node("Shape", {"x"}, "shape");
  m.node("Gather", {"shape", "first"}, "rows", {{"axis", int64_t{0}}});
  m.node("Mul", {"rows", "two"}, "double");
  m.node("Concat", {"double", "rest"}, "target", {{"axis", int64_t{0}}});
  m.node("Reshape", {"x", "target"}, "result");
  m.output("result", {kRows * 2, 3});
  const Generated made = generate(m.graph);
  EXPECT_TRUE(made.refusals.empty());
  EXPECT_EQ(made.engine.steps.size(), 1U);
}

TEST(GeneratorTest, RefusesSizesThatDataDecides) {
  Maker m;
  m.input("x", {4});
  m.input("shape", {2}, DType::kInt64);
  m.node("Reshape", {"x", "shape"}, "result");
  m.node("Exp", {"result"}, "exp");
  m.output("exp", {2, 2});
  const Generated made = generate(m.graph);
  ASSERT_EQ(made.refusals.size(), 1U);  // and not what reads it
  EXPECT_EQ(made.refusals.front().origin, "result");
  EXPECT_THAT(made.refusals.front().reason, HasSubstr("known only from data"));
}

TEST(GeneratorTest, RefusesOperatorsAndTypesWithoutKernels) {
  Maker m;
  m.input("x", {4});
  m.input("y", {4}, DType::kFloat8E5M2);
  m.node("NonZero", {"x"}, "places");
  m.node("Identity", {"y"}, "copy");
  m.output("places", {1, 4}, DType::kInt64);
  m.output("copy", {4}, DType::kFloat8E5M2);
  const Generated made = generate(m.graph);
  ASSERT_EQ(made.refusals.size(), 2U);
  EXPECT_THAT(made.refusals[0].reason, HasSubstr("no kernel computes NonZero"));
  EXPECT_THAT(made.refusals[1].reason, HasSubstr("no kernels of float8_e5m2"));
}

TEST(GeneratorTest, IndicesOutOfRangeSetAFlag) {
  Maker m;
  m.input("x", {4, 2});
  m.input("index", {3}, DType::kInt64);
  m.node("Gather", {"x", "index"}, "result", {{"axis", int64_t{0}}});
  m.output("result", {3, 2});
  const Generated made = generate(m.graph);
  EXPECT_THAT(made.engine.flags, ElementsAre("an index is out of range"));

  Maker known;
  known.input("x", {4, 2});
  known.integers("index", {3, 0, 1});
  known.node("Gather", {"x", "index"}, "result", {{"axis", int64_t{0}}});
  known.output("result", {3, 2});
  EXPECT_TRUE(generate(known.graph).engine.flags.empty());
}

TEST(GeneratorTest, LargeProductsAreTiledAndSmallOnesAreNot) {
  Maker m;
  m.input("a", {kRows, 64});
  m.input("b", {64, 32});
  m.node("MatMul", {"a", "b"}, "result");
  m.output("result", {kRows, 32});
  EXPECT_THAT(generate(m.graph).kernels, HasSubstr("__syncthreads"));

  Maker small;
  small.input("a", {2, 3});
  small.input("b", {3, 2});
  small.node("MatMul", {"a", "b"}, "result");
  small.output("result", {2, 2});
  EXPECT_THAT(generate(small.graph).kernels, Not(HasSubstr("__syncthreads")));
}

}  // namespace
}  // namespace slipway::cuda
