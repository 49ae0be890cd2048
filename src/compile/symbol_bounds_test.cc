#include "compile/symbol_bounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipway {
namespace {

ir::Program program_of(const std::string& symbol, ir::Range range) {
  ir::Program program;
  program.source = "model.pt2";
  program.ranges[symbol] = range;
  program.graph->add_input("x", ir::TensorType{DType::kFloat32, {ir::SymInt::symbol(symbol)}, {}});
  return program;
}

// Inputs of one dimension each: their names, and the symbols that are their sizes.
ir::Program with_inputs(const std::vector<std::pair<std::string, std::string>>& inputs) {
  ir::Program program;
  program.source = "model.pt2";
  for (const auto& [name, symbol] : inputs) {
    program.ranges[symbol] = {1, std::nullopt};
    ir::Value* value = program.graph->add_input(
        name, ir::TensorType{DType::kFloat32, {ir::SymInt::symbol(symbol)}, {}});
    ir::Input& input = program.inputs.emplace_back();
    input.name = name;
    input.value = value;
  }
  return program;
}

TEST(SymbolBoundsTest, GivesABoundWhereThereIsNone) {
  std::vector<ir::Program> programs;
  programs.push_back(program_of("s0", {2, std::nullopt}));
  programs.push_back(program_of("s1", {2, 9}));
  ASSERT_TRUE(apply_bounds(programs, {{"s0", 64}}).ok());
  EXPECT_EQ(programs[0].ranges["s0"], (ir::Range{2, 64}));
  EXPECT_EQ(programs[1].ranges["s1"], (ir::Range{2, 9}));
  EXPECT_FALSE(programs[1].ranges.contains("s0"));
}

TEST(SymbolBoundsTest, LowersABoundAndDoesNotRaiseOne) {
  std::vector<ir::Program> programs;
  programs.push_back(program_of("s0", {2, 9}));
  std::vector<std::string> warnings;
  const auto warn = [&](const std::string& text) { warnings.push_back(text); };
  ASSERT_TRUE(apply_bounds(programs, {{"s0", 64}}, warn).ok());
  EXPECT_EQ(programs[0].ranges["s0"].max, 9);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_THAT(warnings[0], testing::HasSubstr("s0 is at most 9"));
  ASSERT_TRUE(apply_bounds(programs, {{"s0", 4}}, warn).ok());
  EXPECT_EQ(programs[0].ranges["s0"].max, 4);
  EXPECT_EQ(warnings.size(), 1U);
}

TEST(SymbolBoundsTest, KnowsSymbolsWithoutARange) {
  std::vector<ir::Program> programs;
  programs.push_back(program_of("s0", {}));
  programs[0].ranges.clear();
  ASSERT_TRUE(apply_bounds(programs, {{"s0", 4}}).ok());
  EXPECT_EQ(programs[0].ranges["s0"].max, 4);
}

TEST(SymbolBoundsTest, RefusesABoundThatIsTooLow) {
  std::vector<ir::Program> programs;
  programs.push_back(program_of("s0", {2, 9}));
  const Status status = apply_bounds(programs, {{"s0", 1}});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(status.error().message().find("at least 2"), std::string::npos);
}

TEST(SymbolBoundsTest, ListsTheSymbolsWhereOneIsUnknown) {
  std::vector<ir::Program> programs;
  programs.push_back(program_of("s0", {2, 9}));
  const Status status = apply_bounds(programs, {{"t", 1}});
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message().find("s0"), std::string::npos);
}

TEST(SymbolBoundsTest, TakesADimensionOfAnInputForItsSize) {
  std::vector<ir::Program> programs;
  programs.push_back(with_inputs({{"x", "s0"}, {"y", "s0"}, {"z", "s1"}}));
  ASSERT_TRUE(apply_bounds(programs, {{"x.0", 64}, {"z.0", 7}}).ok());
  EXPECT_EQ(programs[0].ranges["s0"].max, 64);
  EXPECT_EQ(programs[0].ranges["s1"].max, 7);
  EXPECT_FALSE(programs[0].ranges.contains("x.0"));

  EXPECT_TRUE(apply_bounds(programs, {{"x.0", 8}, {"y.0", 8}, {"s0", 8}}).ok());
  const Status twice = apply_bounds(programs, {{"x.0", 8}, {"y.0", 9}});
  ASSERT_FALSE(twice.ok());
  EXPECT_NE(twice.error().message().find("y.0 is the size s0"), std::string::npos);
  const Status unknown = apply_bounds(programs, {{"x.1", 8}});
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.error().message().find("s0, s1, x.0, y.0, z.0"), std::string::npos);
}

TEST(SymbolBoundsTest, ListsAllSizesWithoutABoundAtOnce) {
  std::vector<ir::Program> programs;
  programs.push_back(with_inputs({{"x", "s0"}, {"y", "s0"}, {"z", "s1"}}));
  const Status status = check_bounded(programs);
  ASSERT_FALSE(status.ok());
  const std::string& text = status.error().message();
  EXPECT_NE(text.find("s0 (dimension 0 of input 'x'), s1 (dimension 0 of input 'z') have no"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("option 'bounds' x.0=64 option 'bounds' z.0=64"), std::string::npos) << text;
  ASSERT_TRUE(apply_bounds(programs, {{"x.0", 8}, {"z.0", 8}}).ok());
  EXPECT_TRUE(check_bounded(programs).ok());
}

TEST(SymbolBoundsTest, NarrowsRangesToProfiles) {
  std::vector<ir::Program> programs;
  programs.push_back(program_of("s0", {2, std::nullopt}));
  ASSERT_TRUE(apply_size_limits(programs, {{"s0", {4, 16}}}).ok());
  EXPECT_EQ(programs[0].ranges["s0"], (ir::Range{4, 16}));
  EXPECT_FALSE(apply_size_limits(programs, {{"s1", {4, 16}}}).ok());
  for (const std::pair<int64_t, int64_t>& limits : {std::pair<int64_t, int64_t>(2, 16), {4, 17}}) {
    const Status status = apply_size_limits(programs, {{"s0", limits}});
    ASSERT_FALSE(status.ok());
    EXPECT_NE(status.error().message().find("from 4 to 16"), std::string::npos);
  }
}

}  // namespace
}  // namespace slipway
