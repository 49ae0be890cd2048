#include "ir/position.h"

#include <gtest/gtest.h>

namespace slipway::ir {
namespace {

TEST(PositionTest, CountsFromTheFront) {
  const SymInt n = SymInt::symbol("n");
  const SymbolRanges ranges = {{"n", {1, 8}}};
  EXPECT_EQ(from_front(3, n, ranges), SymInt(3));
  EXPECT_EQ(from_front(-1, n, ranges), n - 1);
  // n - 2 is the last place where n is 1.
  const SymInt place = from_front(n - 2, n, ranges);
  for (const auto& [size, expected] : {std::pair(1, 0), std::pair(2, 0), std::pair(6, 4)}) {
    const auto value = place.evaluate({{"n", size}});
    ASSERT_TRUE(value.ok());
    EXPECT_EQ(*value, expected) << size;
  }
}

}  // namespace
}  // namespace slipway::ir
