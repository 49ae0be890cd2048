// Products that an engine can compute in several ways.
#include <map>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cuda/builder/generator.h"
#include "cuda/format/choices.h"
#include "onnx/graph_maker_test.h"

namespace slipway::cuda {
namespace {

using testing::ElementsAre;

table::EngineT engine_of(const onnx::Graph& graph, const Generator::Ways& ways) {
  const auto constants = engine_build::Constants::of(graph);
  Generator generator(graph, *constants, ways);
  EXPECT_TRUE(generator.run().empty());
  return generator.take_engine();
}

TEST(AlternativesTest, ProductsHaveAsManyAlternativesAsAreAskedFor) {
  onnx::GraphMaker m;
  for (const std::string name : {"a", "b", "c"}) m.input(name, {256, 256});
  m.node("MatMul", {"a", "b"}, "first");
  m.node("MatMul", {"first", "c"}, "second");
  m.node("Exp", {"second"}, "result");
  m.output("result", {256, 256});
  const table::EngineT one = engine_of(m.graph, {});
  EXPECT_TRUE(one.choices.empty());
  EXPECT_TRUE(one.device.empty());
  const table::EngineT made = engine_of(m.graph, {.candidates = 4});
  // Of the second one Exp is part.
  EXPECT_THAT(made.choices, ElementsAre(0, 0));
  EXPECT_THAT(count_alternatives(made), ElementsAre(4, 4));
  EXPECT_TRUE(check_choices(made).ok());
  std::set<std::string> plans;
  std::set<uint32_t> written;  // by the last launch of each alternative
  for (const auto& step : made.steps) {
    const table::LaunchT& launch = *step.AsLaunch();
    if (launch.choice != 1) continue;
    plans.insert(launch.plan);
    if (launch.reads.size() == 1 || launch.plan.find("parts") == std::string::npos) {
      written.insert(launch.writes.begin(), launch.writes.end());
    }
  }
  EXPECT_EQ(plans.size(), 4U);
  EXPECT_EQ(written.size(), 1U);
  // What is reckoned to be fastest comes first, as without alternatives.
  const table::LaunchT& first = *made.steps[0].AsLaunch();
  EXPECT_EQ(first.origin, "first");  // though the second one wants it
  EXPECT_EQ(first.shared_bytes, one.steps[0].AsLaunch()->shared_bytes);
  EXPECT_EQ(first.block, one.steps[0].AsLaunch()->block);
}

TEST(AlternativesTest, EqualProductsAreChosenTogether) {
  onnx::GraphMaker m;
  for (const std::string name : {"a", "b", "c", "d", "e"}) m.input(name, {256, 256});
  m.node("MatMul", {"a", "b"}, "first");
  m.node("MatMul", {"first", "c"}, "second");
  m.node("MatMul", {"second", "d"}, "third");
  m.node("MatMul", {"third", "e"}, "result");
  m.output("result", {256, 256});
  const table::EngineT made = engine_of(m.graph, {.candidates = 2});
  // The first one reads two inputs, which may lie anywhere.
  EXPECT_EQ(made.choices.size(), 2U);
  std::map<uint32_t, int> writes;
  for (const auto& step : made.steps) ++writes[step.AsLaunch()->choice];
  EXPECT_EQ(writes[2], 3 * writes[1]);
}

// What Hopper's machine code alone can do is for its image, and there is a way for the others.
TEST(AlternativesTest, WhatOneImageCanDoIsForThatAlone) {
  onnx::GraphMaker m;
  m.input("x", {1, 256, 14, 14});
  m.input("w", {256, 256, 3, 3});
  m.node("Conv", {"x", "w"}, "result", {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  m.output("result", {1, 256, 14, 14});
  EXPECT_TRUE(engine_of(m.graph, {}).choices.empty());
  EXPECT_TRUE(
      engine_of(m.graph, {.are_for_hopper = true, .are_for_others = false}).choices.empty());
  table::EngineT made = engine_of(m.graph, {.are_for_hopper = true});
  EXPECT_THAT(count_alternatives(made), ElementsAre(2));
  EXPECT_THAT(*choices_for(made, {"sm_90a"}, made.choices), ElementsAre(0));
  EXPECT_THAT(*choices_for(made, {"sm_120"}, made.choices), ElementsAre(1));
  for (auto& step : made.steps) {
    table::LaunchT& launch = *step.AsLaunch();
    if (launch.choice == 0) continue;
    EXPECT_EQ(launch.target, launch.alternative == 0 ? "sm_90a" : "");
    EXPECT_EQ(launch.plan.find("cluster") != std::string::npos, launch.alternative == 0);
    launch.target = "sm_90a";
  }
  const auto error = choices_for(made, {"sm_120"}, made.choices);
  ASSERT_FALSE(error.ok());
  EXPECT_EQ(error.error().message(), "choice 1 has no alternative that runs in sm_120");
}

}  // namespace
}  // namespace slipway::cuda
