#include "base/edit_distance.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(EditDistance, CountsLettersThatDiffer) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("cos", ""), 3u);
  EXPECT_EQ(edit_distance("cos", "cosh"), 1u);
  EXPECT_EQ(edit_distance("acos", "cos"), 1u);
  EXPECT_EQ(edit_distance("cos", "sos"), 1u);
  EXPECT_EQ(edit_distance("ocs", "cos"), 1u) << "neighbours are swapped";
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

}  // namespace
}  // namespace slipway
