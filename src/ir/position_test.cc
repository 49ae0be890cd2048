#include "ir/position.h"

#include <gtest/gtest.h>

namespace slipway::ir {
namespace {

TEST(PositionTest, CountsFromTheFront) {
  const SymInt n = SymInt::symbol("n");
  const SymbolRanges ranges = {{"n", {1, 8}}};
  EXPECT_EQ(from_front(3, n, ranges), SymInt(3));
  EXPECT_EQ(from_front(-1, n, ranges), n - 1);
  // n - 3 counts from the end where n is below 3.
  const SymInt place = from_front(n - 3, n, ranges);
  for (const auto& [size, expected] : {std::pair(2, 1), std::pair(3, 0), std::pair(8, 5)}) {
    const auto value = place.evaluate({{"n", size}});
    ASSERT_TRUE(value.ok());
    EXPECT_EQ(*value, expected) << size;
  }
  // What lies outside stays outside.
  const SymInt outside = from_front(n - 5, 2, ranges);
  EXPECT_EQ(*outside.evaluate({{"n", 1}}), -2);
  EXPECT_EQ(*outside.evaluate({{"n", 8}}), 3);
}

}  // namespace
}  // namespace slipway::ir
