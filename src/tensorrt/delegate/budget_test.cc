// Texts of budgets; what is done with them is in tests/tensorrt/delegate/load_test.cc.
#include "tensorrt/delegate/budget.h"

#include <string>

#include <gtest/gtest.h>

namespace slipway::tensorrt {
namespace {

TEST(Budget, IsDecimalDigitsAlone) {
  EXPECT_EQ(parse_budget("0"), 0);
  EXPECT_EQ(parse_budget("8589934592"), 8589934592);
  EXPECT_EQ(parse_budget("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(parse_budget("0000000001"), 1);
  // A text ends where it says, whatever is behind it.
  EXPECT_EQ(parse_budget(std::string_view("128999", 3)), 128);
  EXPECT_EQ(parse_budget(std::string_view("128XYZ", 3)), 128);
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {"-1"sv, "-9223372036854775808"sv, "9223372036854775808"sv, ""sv, "garbage"sv, "12x"sv,
        "12 34"sv, "42 "sv, " 42"sv, "+42"sv, "123\0x"sv}) {
    EXPECT_EQ(parse_budget(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace slipway::tensorrt
