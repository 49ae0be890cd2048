#include "cli/option_names.h"

#include <string>

#include <gtest/gtest.h>

#include "cli/tool_test.h"

namespace slipway::cli {
namespace {

TEST(OptionNames, BecomeFlags) {
  EXPECT_EQ(with_flags("give one with option 'bounds' x.0=64"), "give one with --bound x.0=64");
  EXPECT_EQ(with_flags("option 'require_full' and option 'check'"), "--require-full and --check");
  EXPECT_EQ(with_flags("the option it's"), "the option it's");
  EXPECT_EQ(with_flags("option 'bounds"), "option 'bounds");
  EXPECT_EQ(with_flags("option '' or option 'a b'"), "option '' or option 'a b'");
  EXPECT_EQ(with_flags("option 'option 'bounds''"), "option '--bound'");
  EXPECT_EQ(with_flags(""), "");
}

// What a library names is what the user can give.
TEST_F(Tool, HasTheFlagsThatMessagesName) {
  const std::string help = run({"compile", "--help"}).out + run({"run", "--help"}).out;
  for (const char* option :
       {"allow_reduced_precision", "bounds", "check", "engines", "exclude_nodes", "exclude_ops",
        "memory_limit", "require_full", "seed", "time_limit", "trust"}) {
    EXPECT_TRUE(contains(help, flag_of(option) + " ")) << option;
  }
}

}  // namespace
}  // namespace slipway::cli
