#include "ir/sym_int.h"

#include <random>

#include <fmt/core.h>
#include <gtest/gtest.h>

namespace slipway::ir {
namespace {

const SymInt s0 = SymInt::symbol("s0");
const SymInt s1 = SymInt::symbol("s1");

TEST(SymIntTest, Constants) {
  EXPECT_EQ(SymInt(), SymInt(0));
  EXPECT_EQ(SymInt(2) + 3, SymInt(5));
  EXPECT_EQ(SymInt(2) - 3, SymInt(-1));
  EXPECT_EQ(SymInt(2) * 3, SymInt(6));
  EXPECT_EQ((SymInt(2) * 3).constant(), 6);
  EXPECT_TRUE(SymInt(7).is_constant());
  EXPECT_FALSE(s0.is_constant());
  EXPECT_EQ(s0.constant(), std::nullopt);
  EXPECT_TRUE(s0.is_symbol());
  EXPECT_EQ(s0.symbol_name(), "s0");
  EXPECT_FALSE((s0 * 2).is_symbol());
  EXPECT_FALSE((s0 * s0).is_symbol());
}

TEST(SymIntTest, EqualPolynomialsAreEqual) {
  EXPECT_EQ((s0 + 1) * 2, s0 * 2 + 2);
  EXPECT_EQ((s0 + s1) * (s0 - s1), s0 * s0 - s1 * s1);
  EXPECT_EQ(s0 - s0, SymInt(0));
  EXPECT_TRUE((s0 * s1 - s1 * s0).is_constant());
  EXPECT_NE(s0, s1);
  EXPECT_NE(s0 + 1, s0);
}

TEST(SymIntTest, LinearIsWhatSolvesForOneSymbol) {
  const SymInt x = SymInt::symbol("x");
  const auto linear = (x * SymInt(3) - SymInt(2)).linear();
  ASSERT_TRUE(linear);
  EXPECT_EQ(linear->symbol, "x");
  EXPECT_EQ(linear->coefficient, 3);
  EXPECT_EQ(linear->offset, -2);
  EXPECT_FALSE(linear->is_bare());
  EXPECT_TRUE(x.linear()->is_bare());
  EXPECT_FALSE((x + SymInt(1)).linear()->is_bare());
  EXPECT_FALSE(SymInt(3).linear());
  EXPECT_FALSE((x * x).linear());
  EXPECT_FALSE((x + SymInt::symbol("y")).linear());
  EXPECT_FALSE(SymInt::floordiv(x, SymInt(2)).linear());
}

TEST(SymIntTest, DivisionSimplifies) {
  EXPECT_EQ(SymInt::floordiv(s0 * 2, 2), s0);
  EXPECT_EQ(SymInt::floordiv(s0 * 2 + 1, 2), s0);
  EXPECT_EQ(SymInt::floordiv(s0 * 2 - 1, 2), s0 - 1);
  EXPECT_EQ(SymInt::floordiv(s0 * s1, s1), s0);
  EXPECT_EQ(SymInt::floordiv(s0 * s0 + s0 * 2 + 1, s0 + 1), s0 + 1);
  EXPECT_EQ(SymInt::floordiv(s0 * 4, 6), SymInt::floordiv(s0 * 2, 3));
  EXPECT_EQ(SymInt::floordiv(s0 - 1, 2) + 1, SymInt::floordiv(s0 + 1, 2));
  EXPECT_EQ(SymInt::floordiv(SymInt::floordiv(s0, 2), 3), SymInt::floordiv(s0, 6));
  EXPECT_EQ(SymInt::floordiv(SymInt::floordiv(s0 + 1, 2) + 1, 2), SymInt::floordiv(s0 + 3, 4));
  EXPECT_EQ(SymInt::floordiv(s0 * s1 * 2, s1 * 4), SymInt::floordiv(s0, 2));
  EXPECT_EQ(SymInt::floordiv(s0, -2), SymInt::floordiv(-s0, 2));
  EXPECT_EQ(SymInt::floordiv(-7, 2), SymInt(-4));
  EXPECT_EQ(SymInt::floordiv(7, -2), SymInt(-4));
}

TEST(SymIntTest, ModuloSimplifies) {
  EXPECT_EQ(SymInt::mod(s0 * 2, 2), SymInt(0));
  EXPECT_EQ(SymInt::mod(s0 * 2 + 5, 2), SymInt(1));
  EXPECT_EQ(SymInt::mod(s0 * s1, s1), SymInt(0));
  EXPECT_EQ(SymInt::mod(s0 * 9, 8), SymInt::mod(s0, 8));
  EXPECT_EQ(SymInt::mod(s0, 1), SymInt(0));
  EXPECT_EQ(SymInt::mod(-7, 3), SymInt(2));
  EXPECT_EQ(SymInt::mod(7, -3), SymInt(-2));
}

TEST(SymIntTest, ExtremaSimplify) {
  EXPECT_EQ(SymInt::max(s0, s0), s0);
  EXPECT_EQ(SymInt::max(s0, s0 + 1), s0 + 1);
  EXPECT_EQ(SymInt::min(s0, s0 + 1), s0);
  EXPECT_EQ(SymInt::max(2, 3), SymInt(3));
  EXPECT_EQ(SymInt::min(2, 3), SymInt(2));
  EXPECT_EQ(SymInt::max(s0, s1), SymInt::max(s1, s0));
  EXPECT_EQ(SymInt::max(SymInt::max(s0, s1), 4), SymInt::max(s0, SymInt::max(4, s1)));
  EXPECT_EQ(SymInt::max(SymInt::max(s0, 4), 6), SymInt::max(s0, 6));
}

TEST(SymIntTest, PowersExpand) {
  EXPECT_EQ(SymInt::pow(s0 + 1, 2), s0 * s0 + s0 * 2 + 1);
  EXPECT_EQ(SymInt::pow(s0, 0), SymInt(1));
  EXPECT_EQ(SymInt::pow(2, 10), SymInt(1024));
  EXPECT_EQ(SymInt::pow(2, s0).substitute({{"s0", 5}}), SymInt(32));
}

TEST(SymIntTest, OverflowIsKept) {
  EXPECT_TRUE((SymInt(INT64_MAX) + 1).overflowed());
  EXPECT_TRUE((SymInt(INT64_MIN) - 1).overflowed());
  EXPECT_TRUE((-SymInt(INT64_MIN)).overflowed());
  EXPECT_TRUE((SymInt(INT64_MAX) * 2 - 1).overflowed());
  EXPECT_TRUE((s0 * INT64_MAX * 2).overflowed());
  EXPECT_TRUE(SymInt::pow(2, 63).overflowed());
  EXPECT_TRUE(SymInt::floordiv(INT64_MIN, -1).overflowed());
  EXPECT_TRUE(SymInt::max(SymInt(INT64_MAX) + 1, 0).overflowed());
  EXPECT_FALSE((s0 * INT64_MAX).overflowed());
  EXPECT_FALSE((SymInt(INT64_MAX) + 1).evaluate({}).ok());
  EXPECT_EQ((SymInt(INT64_MAX) + 1).to_string(), "<overflow>");
}

TEST(SymIntTest, GrowthEnds) {
  SymInt power = s0 + s1 + 1;
  for (int i = 0; i < 40 && !power.overflowed(); ++i) power = power * power;
  EXPECT_TRUE(power.overflowed());
  SymInt deep = s0;
  for (int i = 0; i < 1000; ++i) deep = SymInt::mod(deep * s0, s1) + 1;
  EXPECT_TRUE(deep.overflowed());
}

// Each level holds the one below several times: whoever followed them all would never end.
TEST(SymIntTest, SharedPartsCountEachTime) {
  SymInt powers = s0;
  for (int i = 0; i < 12; ++i) powers = SymInt::floordiv(SymInt::pow(powers, 16) + 1, 3);
  EXPECT_TRUE(powers.overflowed());
  SymInt magnitudes = s0;
  for (int i = 0; i < 24; ++i) magnitudes = SymInt::max(magnitudes, -magnitudes);
  EXPECT_TRUE(magnitudes.overflowed() || magnitudes.to_string().size() < (1 << 21));
  SymInt products = s0;
  for (int i = 0; i < 60; ++i) products = SymInt::floordiv(s1 * products + 1, 3);
  EXPECT_FALSE(products.overflowed());
  EXPECT_EQ(products.symbols(), (std::vector<std::string>{"s0", "s1"}));
  EXPECT_LT(products.to_string().size(), 2000u);
}

TEST(SymIntTest, LongExtremaOverflow) {
  SymInt largest = 0;
  for (int i = 0; i < 20; ++i)
    largest = SymInt::max(largest, SymInt::symbol(fmt::format("u{}", i)));
  EXPECT_FALSE(largest.overflowed());
  for (int i = 0; i < 40; ++i)
    largest = SymInt::max(largest, SymInt::symbol(fmt::format("v{}", i)));
  EXPECT_TRUE(largest.overflowed());
}

TEST(SymIntTest, ManyTermsDivide) {
  SymInt sum = 0;
  for (int i = 0; i < 256; ++i) sum = sum + SymInt::symbol(fmt::format("u{}", i)) * 4;
  ASSERT_FALSE(sum.overflowed());
  EXPECT_FALSE(SymInt::floordiv(sum, 6).overflowed());
  EXPECT_FALSE(SymInt::mod(sum, 6).overflowed());
}

TEST(SymIntTest, TheLeastIntegerDivides) {
  const SymInt least = s0 * INT64_MIN;
  EXPECT_EQ(SymInt::floordiv(least, 4).evaluate({{"s0", 1}}).value(), INT64_MIN / 4);
  EXPECT_EQ(SymInt::floordiv(least + 1, 6).evaluate({{"s0", 1}}).value(),
            SymInt::floordiv(INT64_MIN + 1, 6).constant());
  EXPECT_EQ(SymInt::floordiv(s0 + INT64_MIN, s1 * 6).evaluate({{"s0", 0}, {"s1", 1}}).value(),
            SymInt::floordiv(INT64_MIN, 6).constant());
}

TEST(SymIntTest, Text) {
  EXPECT_EQ((s0 * 2 + 1).to_string(), "2*s0 + 1");
  EXPECT_EQ((s0 - 1).to_string(), "s0 - 1");
  EXPECT_EQ((-s0).to_string(), "-s0");
  EXPECT_EQ((SymInt(3) - s0 * s1).to_string(), "-s0*s1 + 3");
  EXPECT_EQ((s0 * s0 * s1).to_string(), "s0**2*s1");
  EXPECT_EQ(SymInt::floordiv(s0, 2).to_string(), "floordiv(s0, 2)");
  EXPECT_EQ(SymInt::min(s0, 4).to_string(), "min(4, s0)");
  EXPECT_EQ(SymInt(-3).to_string(), "-3");
  EXPECT_EQ(format_sizes(std::vector<SymInt>{2, s0}), "[2, s0]");
}

TEST(SymIntTest, Symbols) {
  EXPECT_EQ((s1 + SymInt::floordiv(s0, 2) + s1 * 2).symbols(),
            (std::vector<std::string>{"s0", "s1"}));
  EXPECT_TRUE(SymInt(3).symbols().empty());
}

TEST(SymIntTest, EvaluationNamesWhatIsMissing) {
  auto value = (s0 + s1).evaluate({{"s0", 1}});
  ASSERT_FALSE(value.ok());
  EXPECT_NE(value.error().message().find("s1"), std::string::npos);
  EXPECT_FALSE(SymInt::floordiv(s0, s1).evaluate({{"s0", 1}, {"s1", 0}}).ok());
  EXPECT_FALSE(SymInt::mod(s0, 0).evaluate({{"s0", 1}}).ok());
  EXPECT_FALSE((s0 * s1).evaluate({{"s0", INT64_MAX}, {"s1", 2}}).ok());
}

TEST(SymIntTest, Bounds) {
  SymbolRanges ranges = {{"s0", {1, 64}}, {"s1", {2, std::nullopt}}};
  EXPECT_EQ((s0 * 2 + 1).bounds(ranges), (Range{3, 129}));
  EXPECT_EQ((SymInt(100) - s0).bounds(ranges), (Range{36, 99}));
  EXPECT_EQ((s0 * s1).bounds(ranges), (Range{2, std::nullopt}));
  EXPECT_EQ((s0 - s1).bounds(ranges), (Range{std::nullopt, 62}));
  EXPECT_EQ((s1 - s1 * s0).bounds(ranges), (Range{}));
  EXPECT_EQ(SymInt::floordiv(s0, 2).bounds(ranges), (Range{0, 32}));
  EXPECT_EQ(SymInt::floordiv(s0, s1).bounds(ranges), (Range{0, 32}));
  EXPECT_EQ(SymInt::mod(s0, 8).bounds(ranges), (Range{0, 7}));
  EXPECT_EQ(SymInt::mod(s0, 100).bounds(ranges), (Range{1, 64}));
  EXPECT_EQ(SymInt::min(s1, 9).bounds(ranges), (Range{2, 9}));
  EXPECT_EQ(SymInt::max(s0, s1).bounds(ranges), (Range{2, std::nullopt}));
  EXPECT_EQ(SymInt::scale(s0, 0.57).bounds(ranges), (Range{0, 36}));
  EXPECT_EQ(SymInt::scale(s1, -0.5).bounds(ranges), (Range{std::nullopt, -1}));
  EXPECT_EQ(SymInt::scale(s0 * s1, 1e30).bounds(ranges), (Range{std::nullopt, std::nullopt}));
  EXPECT_EQ(SymInt(5).bounds(ranges), (Range{5, 5}));
  EXPECT_EQ(SymInt::symbol("u0").bounds(ranges), (Range{}));
  EXPECT_EQ((s0 * INT64_MAX).bounds(ranges), (Range{INT64_MAX, std::nullopt}));
}

TEST(SymIntTest, ScalesAsDoublesDo) {
  EXPECT_EQ(SymInt::scale(100, 0.57), SymInt(56));
  EXPECT_EQ(SymInt::scale(-7, 0.5), SymInt(-3));
  EXPECT_EQ(SymInt::scale(3, 0.57), SymInt(1));
  EXPECT_TRUE(SymInt::scale(1, 1e30).overflowed());
  EXPECT_NE(SymInt::scale(s0, 0.57), SymInt::scale(s0, 0.58));
  const SymInt scaled = SymInt::scale(s0 + 1, 0.57) * 2 - 1;
  EXPECT_EQ(scaled.to_string(), "2*scale(s0 + 1, 0.57) - 1");
  EXPECT_EQ(scaled.symbols(), (std::vector<std::string>{"s0"}));
  EXPECT_EQ(scaled.evaluate({{"s0", 99}}).value(), 111);
  EXPECT_EQ(scaled.substitute({{"s0", 99}}), SymInt(111));
  EXPECT_EQ(scaled.substitute({{"s0", s1 - 1}}), SymInt::scale(s1, 0.57) * 2 - 1);
}

TEST(SymIntTest, StridesAndCounts) {
  std::vector<SymInt> sizes = {2, s0, 3};
  EXPECT_EQ(numel(sizes), s0 * 6);
  EXPECT_EQ(contiguous_strides(sizes), (std::vector<SymInt>{s0 * 3, 3, 1}));
  EXPECT_EQ(contiguous_strides(std::vector<SymInt>{2, 0, 3}), (std::vector<SymInt>{3, 3, 1}));
  EXPECT_TRUE(contiguous_strides({}).empty());
}

// A random expression and its value, computed side by side; undefined where the value is missing.
struct Sample {
  SymInt expression;
  std::optional<int64_t> value;
};

class Generator {
 public:
  Generator(unsigned seed, std::map<std::string, int64_t> values)
      : random_(seed), values_(std::move(values)) {}

  Sample make(int depth) {
    int kind = pick(depth > 0 ? 0 : 7, 8);
    if (kind == 7) {
      int64_t constant = pick(-9, 9);
      return {constant, constant};
    }
    if (kind == 8) {
      auto value = std::next(values_.begin(), pick(0, static_cast<int>(values_.size()) - 1));
      return {SymInt::symbol(value->first), value->second};
    }
    Sample a = make(depth - 1);
    Sample b = make(depth - 1);
    return {combine(kind, a.expression, b.expression),
            a.value && b.value ? value(kind, *a.value, *b.value) : std::nullopt};
  }

 private:
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  static SymInt combine(int kind, const SymInt& a, const SymInt& b) {
    switch (kind) {
      case 0:
        return a + b;
      case 1:
        return a - b;
      case 2:
        return a * b;
      case 3:
        return SymInt::floordiv(a, b);
      case 4:
        return SymInt::mod(a, b);
      case 5:
        return SymInt::min(a, b);
      default:
        return SymInt::max(a, b);
    }
  }

  static std::optional<int64_t> value(int kind, int64_t a, int64_t b) {
    if ((kind == 3 || kind == 4) && b == 0) return std::nullopt;
    int64_t quotient = b == 0 ? 0 : a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
    switch (kind) {
      case 0:
        return a + b;
      case 1:
        return a - b;
      case 2:
        return a * b;
      case 3:
        return quotient;
      case 4:
        return a - quotient * b;
      case 5:
        return std::min(a, b);
      default:
        return std::max(a, b);
    }
  }

  std::mt19937 random_;
  std::map<std::string, int64_t> values_;
};

TEST(SymIntTest, SimplificationKeepsTheValue) {
  int defined = 0;
  for (unsigned seed = 0; seed < 4000; ++seed) {
    std::mt19937 random(seed);
    std::uniform_int_distribution<int64_t> number(-12, 12);
    std::map<std::string, int64_t> values = {
        {"a", number(random)}, {"b", number(random)}, {"c", number(random)}};
    Sample sample = Generator(seed, values).make(4);
    if (!sample.value || sample.expression.overflowed()) continue;
    ++defined;
    auto value = sample.expression.evaluate(values);
    ASSERT_TRUE(value.ok()) << sample.expression.to_string() << ": " << value.error().message();
    EXPECT_EQ(*value, *sample.value) << "seed " << seed << ": " << sample.expression.to_string();

    std::map<std::string, SymInt> replacements;
    SymbolRanges ranges;
    for (const auto& [name, constant] : values) {
      replacements[name] = constant;
      ranges[name] = {constant - number(random) % 3 - 2, constant + 2};
    }
    EXPECT_EQ(sample.expression.substitute(replacements), SymInt(*sample.value)) << "seed " << seed;
    Range bounds = sample.expression.bounds(ranges);
    EXPECT_LE(bounds.min.value_or(*sample.value), *sample.value) << sample.expression.to_string();
    EXPECT_GE(bounds.max.value_or(*sample.value), *sample.value) << sample.expression.to_string();
  }
  EXPECT_GT(defined, 2000);
}

TEST(SymIntTest, OrderIsTotal) {
  std::vector<SymInt> expressions = {0,
                                     5,
                                     s0,
                                     s1,
                                     s0 + 1,
                                     s0 * 2,
                                     s0 * s1,
                                     SymInt::floordiv(s0, 2),
                                     SymInt::mod(s0, 2),
                                     SymInt::max(s0, s1),
                                     SymInt(INT64_MAX) + 1};
  for (const SymInt& a : expressions) {
    for (const SymInt& b : expressions) {
      EXPECT_EQ(a<b, b> a);
      EXPECT_EQ(a == b, !(a < b) && !(b < a));
      for (const SymInt& c : expressions) {
        if (a < b && b < c) {
          EXPECT_LT(a, c);
        }
      }
    }
  }
}

}  // namespace
}  // namespace slipway::ir
