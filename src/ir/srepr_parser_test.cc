#include <fmt/core.h>
#include <gtest/gtest.h>

#include "ir/sym_int.h"

namespace slipway::ir {
namespace {

const char* kS0 = "Symbol('s0', positive=True, integer=True)";

std::string with_s0(std::string text) {
  for (size_t at = text.find('$'); at != std::string::npos; at = text.find('$')) {
    text.replace(at, 1, kS0);
  }
  return text;
}

TEST(SreprParserTest, ReadsExpressions) {
  const SymInt s0 = SymInt::symbol("s0");
  const std::pair<const char*, SymInt> kCases[] = {
      {"Integer(3)", 3},
      {"Integer(-3)", -3},
      {"$", s0},
      {"Symbol('u0', integer=True)", SymInt::symbol("u0")},
      {"s77", SymInt::symbol("s77")},
      {"Add(Mul(Integer(2), $), Integer(3))", s0 * 2 + 3},
      {"Pow($, Integer(2))", s0 * s0},
      {"FloorDiv($, Integer(2))", SymInt::floordiv(s0, 2)},
      {"CleanDiv(Mul(Integer(4), $), Integer(2))", s0 * 2},
      {"CeilDiv($, Integer(2))", SymInt::floordiv(s0 + 1, 2)},
      {"PythonMod($, Integer(4))", SymInt::mod(s0, 4)},
      {"Mod($, Integer(4))", SymInt::mod(s0, 4)},
      {"ModularIndexing($, Integer(2), Integer(4))", SymInt::mod(SymInt::floordiv(s0, 2), 4)},
      {"Max(Integer(1), $)", SymInt::max(1, s0)},
      {"Min(Integer(1), $, Integer(4))", SymInt::min(1, s0)},
      {"IntTrueDiv(Mul(Integer(4), $), Integer(2))", s0 * 2},
      {"Mul(Rational(1, 2), Mul(Integer(6), $))", s0 * 3},
      {"Mul(Integer(6), $, Pow(Integer(2), Integer(-1)))", s0 * 3},
      {"Mul($, $, Pow($, Integer(-1)))", s0},
      {"TruncToInt(IntTrueDiv($, Integer(2)))", SymInt::floordiv(s0, 2)},
      {"CeilToInt(IntTrueDiv($, Integer(2)))", SymInt::floordiv(s0 + 1, 2)},
      {"TruncToInt(IntTrueDiv($, Integer(49)))", SymInt::floordiv(s0, 49)},
      {"CeilToInt(IntTrueDiv(Integer(224), $))", -SymInt::floordiv(-224, s0)},
      {"TruncToInt(Mul(Integer(3), IntTrueDiv($, Integer(4))))", SymInt::floordiv(s0 * 3, 4)},
      {"ceiling(Mul(Rational(1, 2), $))", SymInt::floordiv(s0 + 1, 2)},
      {"floor(Mul(Rational(1, 2), $))", SymInt::floordiv(s0, 2)},
      {"TruncToInt(Mul(Float('1.5', precision=53), ToFloat($)))", SymInt::floordiv(s0 * 3, 2)},
      {"TruncToInt(Mul(Float('2.0', precision=53), ToFloat($)))", s0 * 2},
      {"TruncToInt(Mul(Float('0.1', precision=53), ToFloat($)))", SymInt::floordiv(s0, 10)},
      {"TruncToInt(Mul(ToFloat($), Float('1.3', precision=53)))", SymInt::floordiv(s0 * 13, 10)},
      // Some multiples of these are rounded up to a whole number, and some are not.
      {"TruncToInt(Mul(Float('0.56999999999999995', precision=53), ToFloat($)))",
       SymInt::scale(s0, 0.57)},
      {"Max(Integer(1), FloorToInt(Mul(ToFloat($), Float('0.69999999999999996', precision=53))))",
       SymInt::max(1, SymInt::scale(s0, 0.7))},
      {"TruncToInt(Mul(Float('-0.1', precision=53), ToFloat(Add($, Integer(2)))))",
       SymInt::scale(s0 + 2, -0.1)},
      {"TruncToInt(Mul(Float('0.1', precision=53), ToFloat(Symbol('u0', integer=True))))",
       SymInt::scale(SymInt::symbol("u0"), 0.1)},
      {"Abs(Integer(-3))", 3},
      {"LShift($, Integer(3))", s0 * 8},
      {"RShift($, Integer(3))", SymInt::floordiv(s0, 8)},
  };
  for (const auto& [text, expected] : kCases) {
    auto value = SymInt::parse_srepr(with_s0(text));
    ASSERT_TRUE(value.ok()) << text << ": " << value.error().message();
    EXPECT_EQ(*value, expected) << text << " gives " << value->to_string();
  }
}

TEST(SreprParserTest, ChoosesPieces) {
  struct Case {
    const char* condition;
    bool (*holds)(int64_t, int64_t);
  };
  const Case kCases[] = {
      {"Equality($, Integer(3))", [](int64_t a, int64_t) { return a == 3; }},
      {"Unequality($, %)", [](int64_t a, int64_t b) { return a != b; }},
      {"StrictLessThan($, %)", [](int64_t a, int64_t b) { return a < b; }},
      {"StrictGreaterThan($, %)", [](int64_t a, int64_t b) { return a > b; }},
      {"LessThan(Add($, Integer(1)), %)", [](int64_t a, int64_t b) { return a + 1 <= b; }},
      {"GreaterThan($, %)", [](int64_t a, int64_t b) { return a >= b; }},
      {"And(Equality($, Integer(2)), StrictLessThan($, %), true)",
       [](int64_t a, int64_t b) { return a == 2 && a < b; }},
      {"Or(Equality($, Integer(2)), StrictLessThan($, %), false)",
       [](int64_t a, int64_t b) { return a == 2 || a < b; }},
      {"Not(Equality($, %))", [](int64_t a, int64_t b) { return a != b; }},
  };
  for (const auto& [condition, holds] : kCases) {
    std::string text = fmt::format(
        "Add(Integer(1), Piecewise(ExprCondPair(Mul(Integer(2), $), {}), "
        "ExprCondPair(Integer(0), Equality($, Integer(5))), ExprCondPair(%, true)))",
        condition);
    for (size_t at = text.find('%'); at != std::string::npos; at = text.find('%')) {
      text.replace(at, 1, "Symbol('u0', integer=True)");
    }
    const auto value = SymInt::parse_srepr(with_s0(text));
    ASSERT_TRUE(value.ok()) << text << ": " << value.error().message();
    for (int64_t a = 1; a < 7; ++a) {
      for (int64_t b = -2; b < 7; ++b) {
        const int64_t expected = 1 + (holds(a, b) ? 2 * a : a == 5 ? 0 : b);
        EXPECT_EQ(value->evaluate({{"s0", a}, {"u0", b}}).value(), expected)
            << text << " of " << a << " and " << b;
      }
    }
    const Range bounds = value->bounds({{"s0", {1, 6}}, {"u0", {-2, 9}}});
    EXPECT_EQ(bounds.min, -1) << text;
    EXPECT_EQ(bounds.max, 13) << text;
  }
}

TEST(SreprParserTest, RefusesWhatIsNoInteger) {
  for (const char* text : {
           "",
           "(",
           "Integer(",
           "Integer()",
           "Integer(x)",
           "Integer(1",
           "Integer(1) ",
           "Integer(99999999999999999999)",
           "Symbol()",
           "Symbol('')",
           "Symbol('s0'",
           "Symbol('s0', positive)",
           "Add(Integer(1),)",
           "Add(Integer(1)",
           "3",
           "a.b",
           "GreaterThan($, Integer(1))",
           "LessThan($, Integer(1))",
           "Unknown($)",
           "IntTrueDiv($, Integer(2))",
           "IntTrueDiv($, Integer(0))",
           "FloorDiv($, Integer(0))",
           "Mod($, Integer(0))",
           "Float('0.5', precision=53)",
           "Float('nan', precision=53)",
           "Mul(Float('0.1', precision=53), ToFloat($))",
           "FloorToInt(Mul(Float('-0.1', precision=53), ToFloat($)))",
           "TruncToInt(Add(Float('0.1', precision=53), ToFloat($)))",
           "CeilToInt(Mul(Float('0.1', precision=53), ToFloat($)))",
           "TruncToInt(Mul(Float('0.1', precision=53), Float('0.3', precision=53), ToFloat($)))",
           "Mul(Float('0.1', precision=53), Integer(10))",
           "TruncToInt(Mul(Integer(49), IntTrueDiv($, Integer(49))))",
           "TruncToInt(Mul($, IntTrueDiv(Integer(224), $)))",
           "TruncToInt(Add(Integer(1), IntTrueDiv($, Integer(49))))",
           "Symbol(\"a'), print('b\", positive=True, integer=True)",
           "TruncToInt(Mul(Rational(1, 2), Symbol('u0', integer=True)))",
           "Pow(Integer(0), Integer(-1))",
           "Rational(1, 0)",
           "Max()",
           "Where($, $, $)",
           "Piecewise()",
           "Piecewise($, $)",
           "Piecewise(ExprCondPair($, Equality($, Integer(1))))",
           "Piecewise(ExprCondPair($, true)",
           "Piecewise(ExprCondPair($))",
           "Piecewise(ExprCondPair(Rational(1, 2), true))",
           "Piecewise(ExprCondPair($, $), ExprCondPair($, true))",
           "Piecewise(ExprCondPair(FloorDiv($, $), Equality($, $)), ExprCondPair($, true))",
           "Piecewise(ExprCondPair(Mod($, $), Equality($, $)), ExprCondPair($, true))",
           "Piecewise(ExprCondPair(ModularIndexing($, $, $), true))",
           "Piecewise(ExprCondPair(FloorToInt(Mul($, Pow($, Integer(-1)))), true))",
           "Piecewise(ExprCondPair($, Contains($, $)), ExprCondPair($, true))",
           "Piecewise(ExprCondPair($, Not(true, true)), ExprCondPair($, true))",
           "Piecewise(ExprCondPair($, And()), ExprCondPair($, true))",
           "Piecewise(ExprCondPair($, Equality($)), ExprCondPair($, true))",
       }) {
    EXPECT_FALSE(SymInt::parse_srepr(with_s0(text)).ok()) << text;
  }
}

TEST(SreprParserTest, ChoosesAmongManyPieces) {
  constexpr int kPieces = 32;
  std::string text = "Piecewise(";
  for (int i = 1; i < kPieces; ++i) {
    text += fmt::format("ExprCondPair(Add(Symbol('u0'), Integer({})), Equality($, Integer({}))), ",
                        100 * i, i);
  }
  const auto value = SymInt::parse_srepr(with_s0(text + "ExprCondPair(Symbol('u0'), true))"));
  ASSERT_TRUE(value.ok()) << value.error().message();
  ASSERT_FALSE(value->overflowed());
  for (int64_t a = 0; a <= kPieces; ++a) {
    EXPECT_EQ(value->evaluate({{"s0", a}, {"u0", 7}}).value(), a < kPieces ? 100 * a + 7 : 7) << a;
  }
  const Range bounds = value->bounds({{"s0", {0, 99}}, {"u0", {5, 9}}});
  EXPECT_EQ(bounds, (Range{5, 100 * (kPieces - 1) + 9}));
}

TEST(SreprParserTest, RoundsMultiplesAsDoublesDo) {
  for (int i = 1; i < 4000; i += 7) {
    const double factor = i / 1000.0;
    const std::string text =
        fmt::format("TruncToInt(Mul(Float('{:.17g}', precision=53), ToFloat($)))", factor);
    const auto value = SymInt::parse_srepr(with_s0(text));
    ASSERT_TRUE(value.ok()) << factor;
    for (int64_t size = 0; size < 1000; ++size) {
      const auto expected = static_cast<int64_t>(factor * static_cast<double>(size));
      ASSERT_EQ(value->evaluate({{"s0", size}}).value(), expected) << factor << " * " << size;
    }
  }
}

TEST(SreprParserTest, SmallTextsStaySmall) {
  std::string powers = "Symbol('s0')";
  for (int i = 0; i < 12; ++i) {
    powers = "FloorDiv(Add(Pow(" + powers + ", Integer(16)), Integer(1)), Integer(3))";
  }
  const auto grown = SymInt::parse_srepr(powers);
  EXPECT_TRUE(!grown.ok() || grown->overflowed());
  std::string pieces = "Symbol('s0')";
  for (int i = 0; i < 20; ++i) {
    pieces = "Piecewise(ExprCondPair(" + pieces +
             ", Equality(Symbol('s0'), Integer(1))), ExprCondPair(Symbol('u0'), true))";
  }
  const auto chosen = SymInt::parse_srepr(pieces);
  EXPECT_TRUE(!chosen.ok() || chosen->overflowed());
  const auto least =
      SymInt::parse_srepr("FloorDiv(Mul(Integer(-9223372036854775808), Symbol('s0')), Integer(6))");
  ASSERT_TRUE(least.ok());
  EXPECT_EQ(least->evaluate({{"s0", 0}}).value(), 0);
}

TEST(SreprParserTest, LimitsDepthAndLength) {
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "Add(";
  deep += "Integer(1)";
  for (int i = 0; i < 100; ++i) deep += ")";
  EXPECT_FALSE(SymInt::parse_srepr(deep).ok());
  EXPECT_FALSE(SymInt::parse_srepr(std::string(1 << 20, 'A')).ok());
  std::string wide = "Add(Integer(1)";
  for (int i = 0; i < 1000; ++i) wide += ", Integer(1)";
  EXPECT_FALSE(SymInt::parse_srepr(wide + ")").ok());
}

}  // namespace
}  // namespace slipway::ir
