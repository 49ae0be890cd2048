#include "tensorrt/builder/profile.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace slipway::tensorrt {
namespace {

using ir::SymInt;

onnx::Graph graph_of(std::vector<std::vector<SymInt>> inputs) {
  onnx::Graph graph;
  for (auto& sizes : inputs) {
    graph.inputs.push_back(
        {"x" + std::to_string(graph.inputs.size()), DType::kFloat32, std::move(sizes)});
  }
  return graph;
}

using Shape = std::vector<int64_t>;

TEST(Profile, KnownSizesNeedNone) {
  const auto profiles = make_profile(graph_of({{4, 3}, {}}), {});
  ASSERT_TRUE(profiles.ok());
  EXPECT_TRUE(profiles->empty());
}

TEST(Profile, ComesFromTheRangesOfTheProgram) {
  onnx::Graph graph = graph_of({{4}, {SymInt::symbol("s0"), 3, SymInt::symbol("s1")}});
  graph.ranges["s0"] = {2, 16};
  graph.ranges["s1"] = {0, 7};
  const auto profiles = make_profile(graph, {});
  ASSERT_TRUE(profiles.ok()) << profiles.error().message();
  ASSERT_EQ(profiles->size(), 1U);
  EXPECT_EQ(profiles->at(0).input, "x1");
  // TensorRT has no sizes of 0.
  EXPECT_EQ(profiles->at(0).min, (Shape{2, 3, 1}));
  EXPECT_EQ(profiles->at(0).opt, (Shape{16, 3, 7}));
  EXPECT_EQ(profiles->at(0).max, (Shape{16, 3, 7}));
}

TEST(Profile, OneThatIsGivenCounts) {
  const SymInt s0 = SymInt::symbol("s0");
  onnx::Graph graph = graph_of({{s0}, {s0 * 2 + 1}, {SymInt(20) - s0}});
  graph.ranges["s0"] = {1, 1000};
  const auto profiles = make_profile(graph, {{"s0", {2, 4, 8}}});
  ASSERT_TRUE(profiles.ok()) << profiles.error().message();
  ASSERT_EQ(profiles->size(), 3U);
  EXPECT_EQ(profiles->at(0).opt, Shape{4});
  EXPECT_EQ(profiles->at(1).min, Shape{5});
  EXPECT_EQ(profiles->at(1).opt, Shape{9});
  EXPECT_EQ(profiles->at(1).max, Shape{17});
  // Sizes that shrink as the symbol grows.
  EXPECT_EQ(profiles->at(2).min, Shape{12});
  EXPECT_EQ(profiles->at(2).opt, Shape{16});
  EXPECT_EQ(profiles->at(2).max, Shape{18});
}

TEST(Profile, NamesTheSizeWithoutALargestValue) {
  onnx::Graph graph = graph_of({{SymInt::symbol("batch")}});
  graph.ranges["batch"] = {1, std::nullopt};
  const auto profiles = make_profile(graph, {});
  ASSERT_FALSE(profiles.ok());
  EXPECT_EQ(profiles.error().code(), ErrorCode::kInvalidArgument);
  for (const char* part :
       {"size batch", "option 'profile' batch=MIN:OPT:MAX", "option 'bound' batch=MAX"}) {
    EXPECT_NE(profiles.error().message().find(part), std::string::npos)
        << profiles.error().message();
  }
  EXPECT_FALSE(make_profile(graph_of({{SymInt::symbol("unknown")}}), {}).ok());
  EXPECT_TRUE(make_profile(graph, {{"batch", {1, 2, 3}}}).ok());
}

TEST(Profile, ThereMayBeSeveral) {
  onnx::Graph graph = graph_of({{SymInt::symbol("s0"), SymInt::symbol("s1")}});
  const std::map<std::string, std::vector<ProfileRange>> given = {
      {"s0", {{1, 1, 1}, {1, 512, 2048}, {1, 512, 2048}}}, {"s1", {{2, 2, 2}}}};
  const auto profiles = make_profiles(graph, given);
  ASSERT_TRUE(profiles.ok()) << profiles.error().message();
  ASSERT_EQ(profiles->size(), 2u) << "equal ones are one";
  EXPECT_EQ(profiles->at(0).at(0), (InputProfile{"x0", {1, 2}, {1, 2}, {1, 2}}));
  EXPECT_EQ(profiles->at(1).at(0), (InputProfile{"x0", {1, 2}, {512, 2}, {2048, 2}}));
  // Where a graph has none of the sizes, there is nothing to tell apart.
  const auto fixed = make_profiles(graph_of({{4}}), given);
  ASSERT_TRUE(fixed.ok());
  ASSERT_EQ(fixed->size(), 1u);
  EXPECT_TRUE(fixed->at(0).empty());
}

}  // namespace
}  // namespace slipway::tensorrt
