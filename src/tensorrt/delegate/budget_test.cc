// Texts of budgets; what is done with them is in tests/tensorrt/delegate/load_test.cc.
#include "tensorrt/delegate/budget.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cuda/options/options.h"

namespace slipway::tensorrt {
namespace {

TEST(Budget, IsDecimalDigitsAlone) {
  EXPECT_EQ(cuda::parse_bytes("0"), 0);
  EXPECT_EQ(cuda::parse_bytes("8589934592"), 8589934592);
  EXPECT_EQ(cuda::parse_bytes("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(cuda::parse_bytes("0000000001"), 1);
  // A text ends where it says, whatever is behind it.
  EXPECT_EQ(cuda::parse_bytes(std::string_view("128999", 3)), 128);
  EXPECT_EQ(cuda::parse_bytes(std::string_view("128XYZ", 3)), 128);
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {"-1"sv, "-9223372036854775808"sv, "9223372036854775808"sv, ""sv, "garbage"sv, "12x"sv,
        "12 34"sv, "42 "sv, " 42"sv, "+42"sv, "123\0x"sv}) {
    EXPECT_EQ(cuda::parse_bytes(text), std::nullopt) << text;
  }
}

TEST(Budget, IsSplitInProportionToWhatEachCanHave) {
  using Shares = std::vector<int64_t>;
  const auto split = [](int64_t total, const Shares& most) { return split_budget(total, most); };
  EXPECT_EQ(split(2000, {1000, 3000}), (Shares{500, 1500}));
  EXPECT_EQ(split(1999, {1000, 3000}), (Shares{499, 1499})) << "never more than the total";
  EXPECT_EQ(split(4000, {1000, 3000}), (Shares{1000, 3000}));
  EXPECT_EQ(split(INT64_MAX, {1000, 3000}), (Shares{1000, 3000}));
  EXPECT_EQ(split(0, {1000, 3000}), (Shares{0, 0}));
  EXPECT_EQ(split(0, {0, 0}), (Shares{0, 0}));
  EXPECT_EQ(split(INT64_MAX, {INT64_MAX, INT64_MAX}), (Shares{INT64_MAX / 2, INT64_MAX / 2}));
  EXPECT_EQ(split(7, {}), Shares());
}

}  // namespace
}  // namespace slipway::tensorrt
