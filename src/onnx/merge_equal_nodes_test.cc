#include "onnx/merge_equal_nodes.h"

#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "onnx/graph_maker_test.h"

namespace slipway::onnx {
namespace {

using testing::ElementsAre;

TEST(MergeEqualNodesTest, WhatIsComputedAgainIsOneNode) {
  GraphMaker m;
  m.input("x", {4});
  for (const std::string layer : {"1", "2"}) {
    m.constant("one" + layer, DType::kFloat32, {}, std::vector<float>{1});
    m.node("Add", {"x", "one" + layer}, "sum" + layer);
    m.node("LeakyRelu", {"sum" + layer}, "relu" + layer, {{"alpha", 0.5F}});
    m.node("Exp", {"relu" + layer}, "exp" + layer);
    m.output("exp" + layer, {4});
  }
  const Graph merged = merge_equal_nodes(m.graph);
  EXPECT_THAT(op_types(merged), ElementsAre("Add", "LeakyRelu", "Exp", "Exp"));
  EXPECT_THAT(merged.nodes[3].inputs, ElementsAre("relu1"));
  EXPECT_THAT(merged.nodes[3].outputs, ElementsAre("exp2"));
  EXPECT_EQ(merged.initializers.size(), 2U);
}

TEST(MergeEqualNodesTest, WhatDiffersStays) {
  GraphMaker m;
  m.input("x", {4});
  m.constant("zero", DType::kFloat32, {}, std::vector<float>{0});
  m.constant("minus_zero", DType::kFloat32, {}, std::vector<float>{-0.0F});
  m.constant("vector", DType::kFloat32, {1}, std::vector<float>{0});
  m.constant("integer", DType::kInt32, {}, std::vector<int32_t>{0});
  for (const std::string name : {"zero", "minus_zero", "vector", "integer"}) {
    m.node("Add", {"x", name}, "sum_" + name);
  }
  m.node("Elu", {"x"}, "whole", {{"alpha", 1.0F}});
  m.node("Elu", {"x"}, "more", {{"alpha", 1.0F + std::numeric_limits<float>::epsilon()}});
  m.node("Elu", {"x"}, "number", {{"alpha", int64_t{1}}});
  m.node("Elu", {"x"}, "other_name", {{"beta", 1.0F}});
  m.node("RandomUniformLike", {"x"}, "random");
  m.node("RandomUniformLike", {"x"}, "random_again");
  m.node("If", {"x"}, "either", {{"then_branch", std::make_shared<Graph>()}});
  m.node("If", {"x"}, "or", {{"then_branch", std::make_shared<Graph>()}});
  m.node("Split", {"x"}, "left");
  m.node("Split", {"x"}, "first");
  m.graph.nodes.back().outputs.emplace_back("second");
  EXPECT_EQ(merge_equal_nodes(m.graph).nodes.size(), m.graph.nodes.size());
}

TEST(MergeEqualNodesTest, WhatSubGraphsReadStays) {
  GraphMaker m;
  m.input("x", {4});
  m.node("Exp", {"x"}, "first");
  m.node("Exp", {"x"}, "second");
  m.node("Exp", {"x"}, "third");
  GraphMaker branch;
  branch.node("Neg", {"second"}, "negative");
  m.node("If", {"x"}, "result", {{"then_branch", std::make_shared<Graph>(branch.graph)}});
  m.output("third", {4});
  EXPECT_THAT(op_types(merge_equal_nodes(m.graph)), ElementsAre("Exp", "Exp", "Exp", "If"));
}

// A result that the first node does not name could not be had of it.
TEST(MergeEqualNodesTest, ResultsThatAreLeftOutStayTheSecondNodes) {
  GraphMaker m;
  m.input("x", {4});
  for (const auto& outputs :
       std::vector<std::vector<std::string>>{{"a", ""}, {"b", "c"}, {"", "d"}}) {
    m.node("TopK", {"x"}, outputs[0]);
    m.graph.nodes.back().outputs = outputs;
  }
  EXPECT_EQ(merge_equal_nodes(m.graph).nodes.size(), 3U);
}

}  // namespace
}  // namespace slipway::onnx
