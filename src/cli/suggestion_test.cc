#include "cli/suggestion.h"

#include <gtest/gtest.h>

namespace slipway::cli {
namespace {

const std::vector<std::string> kOptions = {"--output", "--engine", "--bound", "--exclude-op",
                                           "--exclude-node"};

TEST(Suggestion, FindsTheNearestName) {
  EXPECT_EQ(nearest_name("--ouput", kOptions), "--output");
  EXPECT_EQ(nearest_name("--engin", kOptions), "--engine");
  EXPECT_EQ(nearest_name("--exclude-opp", kOptions), "--exclude-op");
  EXPECT_EQ(nearest_name("complie", {"run", "compile"}), "compile");
  EXPECT_EQ(nearest_name("rnu", {"run", "compile"}), "run");
  EXPECT_EQ(nearest_name("--exclude", kOptions), "--exclude-op");
}

TEST(Suggestion, KeepsQuietWhereNothingIsNear) {
  EXPECT_EQ(nearest_name("--fast", kOptions), "");
  EXPECT_EQ(nearest_name("", kOptions), "");
  EXPECT_EQ(nearest_name("fly", {"run", "compile", "doctor"}), "");
  EXPECT_EQ(did_you_mean("fly", {"run"}), "");
  EXPECT_EQ(did_you_mean("rn", {"run"}), "; did you mean run?");
}

}  // namespace
}  // namespace slipway::cli
