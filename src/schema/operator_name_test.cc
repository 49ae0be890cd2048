#include "schema/operator_name.h"

#include <gtest/gtest.h>

namespace slipway::schema {
namespace {

TEST(OperatorName, HasItsParts) {
  EXPECT_EQ(base_name("aten.sum.dim_IntList"), "sum");
  EXPECT_EQ(base_name("aten.sum"), "sum");
  EXPECT_EQ(base_name("_operator.mul"), "mul");
  EXPECT_EQ(base_name("sum"), "sum");
  EXPECT_EQ(aten_name("aten.sum.dim_IntList"), "sum");
  EXPECT_EQ(aten_name("_operator.mul"), "");
  EXPECT_EQ(overload_name("aten.sum.dim_IntList"), "dim_IntList");
  EXPECT_EQ(overload_name("_operator.mul"), "");
  EXPECT_EQ(without_overload("aten.sum.dim_IntList"), "aten.sum");
  EXPECT_EQ(without_overload("aten.sum"), "aten.sum");
  EXPECT_EQ(without_overload("sum"), "sum");
}

TEST(OperatorName, MatchesWithAndWithoutItsOverload) {
  EXPECT_TRUE(matches("aten.sum.default", "aten.sum"));
  EXPECT_TRUE(matches("aten.sum.default", "aten.sum.default"));
  EXPECT_FALSE(matches("aten.sum.default", "aten.sum.dim_IntList"));
  EXPECT_FALSE(matches("aten.sum_to_size.default", "aten.sum"));
  EXPECT_FALSE(matches("aten.sum.default", "aten"));
}

TEST(OperatorName, TablesMayLeaveOutTheDefaultOverload) {
  EXPECT_EQ(split_targets("  aten.silu aten.max.dim _operator.mul "
                          "quantized_decomposed.quantize_per_tensor higher_order.cond"),
            (std::vector<std::string>{"aten.silu.default", "aten.max.dim", "_operator.mul",
                                      "quantized_decomposed.quantize_per_tensor.default",
                                      "higher_order.cond"}));
  EXPECT_TRUE(split_targets("").empty());
  EXPECT_EQ(quote_targets("aten.silu aten.max.dim"), "`aten.silu.default`, `aten.max.dim`");
}

}  // namespace
}  // namespace slipway::schema
