#include "compile/symbol_bounds.h"

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
  ASSERT_TRUE(apply_bounds(programs, {{"s0", 64}}).ok());
  EXPECT_EQ(programs[0].ranges["s0"].max, 9);
  ASSERT_TRUE(apply_bounds(programs, {{"s0", 4}}).ok());
  EXPECT_EQ(programs[0].ranges["s0"].max, 4);
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

TEST(SymbolBoundsTest, NarrowsRangesToProfiles) {
  std::vector<ir::Program> programs;
  programs.push_back(program_of("s0", {2, std::nullopt}));
  ASSERT_TRUE(apply_profiles(programs, {{"s0", {4, 8, 16}}}).ok());
  EXPECT_EQ(programs[0].ranges["s0"], (ir::Range{4, 16}));
  EXPECT_FALSE(apply_profiles(programs, {{"s1", {4, 8, 16}}}).ok());
  for (const ProfileRange& profile : {ProfileRange{2, 8, 16}, {4, 8, 17}}) {
    const Status status = apply_profiles(programs, {{"s0", profile}});
    ASSERT_FALSE(status.ok());
    EXPECT_NE(status.error().message().find("they are 4 to 16"), std::string::npos);
  }
}

}  // namespace
}  // namespace slipway
