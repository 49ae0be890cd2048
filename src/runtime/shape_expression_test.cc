#include "runtime/shape_expression.h"

#include <gtest/gtest.h>

namespace slipway::runtime {
namespace {

std::optional<int64_t> value_of(std::string_view text) {
  SymbolTable symbols;
  symbols.number("a");
  symbols.number("b");
  const auto expression = ShapeExpression::parse(text, symbols);
  if (!expression || symbols.size() > 2) return std::nullopt;
  return expression->evaluate({7, 3});
}

TEST(ShapeExpression, ComputesWhatTheManifestWrites) {
  EXPECT_EQ(value_of("12"), 12);
  EXPECT_EQ(value_of("a"), 7);
  EXPECT_EQ(value_of("2*a + 1"), 15);
  EXPECT_EQ(value_of("a - b - 1"), 3);
  EXPECT_EQ(value_of("-a + 2*(b + 1)"), 1);
  EXPECT_EQ(value_of("a*a*b"), 147);
  EXPECT_EQ(value_of("floordiv(a, 2)"), 3);
  EXPECT_EQ(value_of("floordiv(-a, 2)"), -4);
  EXPECT_EQ(value_of("mod(-a, 4)"), 1);
  EXPECT_EQ(value_of("min(a, max(b, 5))"), 5);
  EXPECT_EQ(value_of("pow(b, 4)"), 81);
  EXPECT_EQ(value_of("2*scale(100*b - 200, 0.57) + 1"), 113);
  EXPECT_EQ(value_of("scale(a, -0.5)"), -3);
  EXPECT_EQ(value_of("scale(a, 1e-05)"), 0);
}

TEST(ShapeExpression, HasNoValueWhereArithmeticFails) {
  EXPECT_EQ(value_of("floordiv(a, b - 3)"), std::nullopt);
  EXPECT_EQ(value_of("mod(a, 0)"), std::nullopt);
  EXPECT_EQ(value_of("9223372036854775807 + a"), std::nullopt);
  EXPECT_EQ(value_of("pow(a, 60)"), std::nullopt);
  EXPECT_EQ(value_of("scale(a, 1e30)"), std::nullopt);
}

TEST(ShapeExpression, RefusesOtherText) {
  SymbolTable symbols;
  for (const char* text : {"", "a +", "(a", "a b", "f(a, b)", "min(a)", "1.5", "3x", "?",
                           "99999999999999999999", "a // 2", "scale(a)", "scale(a, b)",
                           "scale(a, nan)", "scale(a, inf)", "scale(a, 0.5", "scale(0.5, a)"}) {
    EXPECT_FALSE(ShapeExpression::parse(text, symbols)) << text;
  }
  EXPECT_FALSE(
      ShapeExpression::parse(std::string(300, '(') + "a" + std::string(300, ')'), symbols));
  EXPECT_FALSE(ShapeExpression::parse(std::string(5000, '1'), symbols));
}

TEST(ShapeExpression, SolvesForTheOneUnknown) {
  SymbolTable symbols;
  const auto expression = *ShapeExpression::parse("2*a + 1", symbols);
  SymbolValues values(1);
  EXPECT_TRUE(expression.solve(9, values));
  EXPECT_EQ(values[0], 4);
  values[0].reset();
  EXPECT_FALSE(expression.solve(8, values));
  EXPECT_FALSE(values[0]);
}

TEST(ShapeExpression, LeavesWhatItCannotSolve) {
  SymbolTable symbols;
  for (const char* text : {"a*a", "a + b", "floordiv(a, 2)", "a - a"}) {
    const auto expression = *ShapeExpression::parse(text, symbols);
    SymbolValues values(2);
    EXPECT_TRUE(expression.solve(8, values)) << text;
    EXPECT_FALSE(values[0]) << text;
  }
}

}  // namespace
}  // namespace slipway::runtime
