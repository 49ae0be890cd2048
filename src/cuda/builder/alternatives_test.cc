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

table::EngineT generate(const onnx::Graph& graph, uint32_t candidates) {
  const auto constants = engine_build::Constants::of(graph);
  Generator generator(graph, *constants, {.candidates = candidates});
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
  const table::EngineT one = generate(m.graph, 1);
  EXPECT_TRUE(one.choices.empty());
  EXPECT_TRUE(one.device.empty());
  const table::EngineT made = generate(m.graph, 4);
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
  const table::EngineT made = generate(m.graph, 2);
  // The first one reads two inputs, which may lie anywhere.
  EXPECT_EQ(made.choices.size(), 2U);
  std::map<uint32_t, int> writes;
  for (const auto& step : made.steps) ++writes[step.AsLaunch()->choice];
  EXPECT_EQ(writes[2], 3 * writes[1]);
}

}  // namespace
}  // namespace slipway::cuda
