// What a symbolic integer is worth: values, bounds and its text.
#include <algorithm>
#include <array>
#include <set>

#include "base/checked.h"
#include "base/error.h"
#include "base/try.h"
#include "ir/sym_int.h"

namespace slipway::ir {

namespace {

using Function = SymInt::Function;

const char* function_name(Function function) {
  switch (function) {
    case Function::kFloorDiv:
      return "floordiv";
    case Function::kMod:
      return "mod";
    case Function::kMin:
      return "min";
    case Function::kMax:
      return "max";
    case Function::kPow:
      return "pow";
    case Function::kScale:
      return "scale";
  }
  return "";
}

void collect_symbols(const SymInt& value, std::set<std::string>& names) {
  for (const SymInt::Term& term : value.terms()) {
    for (const SymInt::Factor& factor : term.factors) {
      if (factor.is_symbol()) names.insert(factor.symbol);
      for (const SymInt& argument : factor.arguments) collect_symbols(argument, names);
    }
  }
}

std::optional<int64_t> checked_pow(int64_t base, int64_t exponent) {
  if (exponent < 0) return std::nullopt;
  if (base == 0 || base == 1) return exponent == 0 ? 1 : base;
  if (base == -1) return exponent % 2 == 0 ? 1 : -1;
  std::optional<int64_t> result = 1;
  for (; exponent > 0 && result; --exponent) result = checked_mul_signed(*result, base);
  return result;
}

// Nothing where the result is undefined or does not fit.
std::optional<int64_t> apply(Function function, int64_t a, int64_t b) {
  switch (function) {
    case Function::kFloorDiv:
    case Function::kMod:
      if (b == 0 || (a == INT64_MIN && b == -1)) return std::nullopt;
      return function == Function::kFloorDiv ? SymInt::floordiv(a, b).constant()
                                             : SymInt::mod(a, b).constant();
    case Function::kMin:
      return std::min(a, b);
    case Function::kMax:
      return std::max(a, b);
    case Function::kPow:
      return checked_pow(a, b);
    case Function::kScale:
      return SymInt::scale(a, std::bit_cast<double>(b)).constant();
  }
  return std::nullopt;
}

// An end of an interval.
struct End {
  enum Kind { kMinusInfinity, kFinite, kInfinity } kind = kFinite;
  int64_t value = 0;

  bool operator<(const End& other) const {
    if (kind != other.kind) return kind < other.kind;
    return kind == kFinite && value < other.value;
  }
  int sign() const {
    if (kind == kFinite) return value > 0 ? 1 : value < 0 ? -1 : 0;
    return kind == kInfinity ? 1 : -1;
  }
};

constexpr End kMinusInfinity{End::kMinusInfinity, 0};
constexpr End kInfinity{End::kInfinity, 0};

struct Interval {
  End min = kMinusInfinity;
  End max = kInfinity;
};

constexpr End finite(int64_t value) { return {End::kFinite, value}; }

// An overflow gives the infinity of the true result's sign, which keeps bounds true.
End add(const End& a, const End& b) {
  if (a.kind != End::kFinite) return a;
  if (b.kind != End::kFinite) return b;
  if (auto sum = checked_add_signed(a.value, b.value)) return finite(*sum);
  return a.value > 0 ? kInfinity : kMinusInfinity;
}

End multiply(const End& a, const End& b) {
  int sign = a.sign() * b.sign();
  if (sign == 0) return finite(0);
  if (a.kind == End::kFinite && b.kind == End::kFinite) {
    if (auto product = checked_mul_signed(a.value, b.value)) return finite(*product);
  }
  return sign > 0 ? kInfinity : kMinusInfinity;
}

Interval hull(const std::array<End, 4>& corners) {
  auto [low, high] = std::minmax_element(corners.begin(), corners.end());
  return {*low, *high};
}

Interval multiply(const Interval& a, const Interval& b) {
  return hull({multiply(a.min, b.min), multiply(a.min, b.max), multiply(a.max, b.min),
               multiply(a.max, b.max)});
}

// b > 0.
End floordiv(const End& a, const End& b) {
  if (a.kind != End::kFinite) return a;
  if (b.kind == End::kInfinity) return finite(a.value < 0 ? -1 : 0);
  return finite(*SymInt::floordiv(a.value, b.value).constant());
}

// Nothing is divided by 0: where that can't be ruled out, the smallest divisor is 1.
Interval divisor(const Interval& b) {
  return b.min.sign() == 0 && b.max.sign() > 0 ? Interval{finite(1), b.max} : b;
}

Interval floordiv(const Interval& a, const Interval& given) {
  const Interval b = divisor(given);
  if (b.min.sign() <= 0) return {};
  return hull({floordiv(a.min, b.min), floordiv(a.min, b.max), floordiv(a.max, b.min),
               floordiv(a.max, b.max)});
}

Interval mod(const Interval& a, const Interval& given) {
  const Interval b = divisor(given);
  if (b.min.sign() <= 0) return {};
  if (a.min.sign() >= 0) {
    if (a.max < b.min) return a;
    return {finite(0), std::min(a.max, add(b.max, finite(-1)))};
  }
  return {finite(0), add(b.max, finite(-1))};
}

Interval pow(const Interval& base, const Interval& exponent) {
  if (base.min.sign() <= 0 || exponent.min.sign() < 0) return {};
  auto corner = [](const End& a, const End& b, const End& on_overflow) {
    if (a.kind != End::kFinite || b.kind != End::kFinite) return on_overflow;
    auto value = checked_pow(a.value, b.value);
    return value ? finite(*value) : on_overflow;
  };
  return {corner(base.min, exponent.min, finite(1)), corner(base.max, exponent.max, kInfinity)};
}

// Rounding keeps order.
Interval scale(const Interval& a, double factor) {
  const auto corner = [&](const End& end, int infinity) {
    const bool is_up = (infinity > 0) == (factor > 0);
    const auto value =
        end.kind == End::kFinite ? SymInt::scale(end.value, factor).constant() : std::nullopt;
    return value ? finite(*value) : is_up ? kInfinity : kMinusInfinity;
  };
  if (factor == 0) return {finite(0), finite(0)};
  const End low = corner(a.min, -1);
  const End high = corner(a.max, 1);
  return factor > 0 ? Interval{low, high} : Interval{high, low};
}

Interval interval_of(const SymInt& value, const SymbolRanges& ranges);

Interval interval_of(const SymInt::Factor& factor, const SymbolRanges& ranges) {
  if (factor.is_symbol()) {
    Interval result;
    auto range = ranges.find(factor.symbol);
    if (range == ranges.end()) return result;
    if (range->second.min) result.min = finite(*range->second.min);
    if (range->second.max) result.max = finite(*range->second.max);
    return result;
  }
  Interval a = interval_of(factor.arguments[0], ranges);
  if (factor.is_scale()) return scale(a, factor.scale());
  Interval b = interval_of(factor.arguments[1], ranges);
  switch (factor.function) {
    case Function::kFloorDiv:
      return floordiv(a, b);
    case Function::kMod:
      return mod(a, b);
    case Function::kMin:
      return {std::min(a.min, b.min), std::min(a.max, b.max)};
    case Function::kMax:
      return {std::max(a.min, b.min), std::max(a.max, b.max)};
    case Function::kPow:
      return pow(a, b);
    case Function::kScale:
      break;
  }
  return {};
}

Interval interval_of(const SymInt& value, const SymbolRanges& ranges) {
  if (value.overflowed()) return {};
  Interval sum{finite(0), finite(0)};
  for (const SymInt::Term& term : value.terms()) {
    Interval product{finite(term.coefficient), finite(term.coefficient)};
    for (const SymInt::Factor& factor : term.factors) {
      product = multiply(product, interval_of(factor, ranges));
    }
    // An infinity is a bound that is not known, so it must win over the other infinity.
    sum.min = product.min.kind == End::kMinusInfinity ? kMinusInfinity : add(sum.min, product.min);
    sum.max = product.max.kind == End::kInfinity ? kInfinity : add(sum.max, product.max);
  }
  return sum;
}

bool same(const SymInt::Factor& a, const SymInt::Factor& b) {
  return a.symbol == b.symbol && a.function == b.function && a.arguments == b.arguments;
}

std::string factor_text(const SymInt::Factor& factor) {
  if (factor.is_symbol()) return factor.symbol;
  if (factor.is_scale()) {
    return fmt::format("scale({}, {})", factor.arguments[0].to_string(), factor.scale());
  }
  return fmt::format("{}({}, {})", function_name(factor.function), factor.arguments[0].to_string(),
                     factor.arguments[1].to_string());
}

}  // namespace

std::vector<std::string> SymInt::symbols() const {
  std::set<std::string> names;
  collect_symbols(*this, names);
  return {names.begin(), names.end()};
}

Range SymInt::bounds(const SymbolRanges& ranges) const {
  if (is_constant()) return {constant(), constant()};
  Interval interval = interval_of(*this, ranges);
  Range result;
  if (interval.min.kind == End::kFinite) result.min = interval.min.value;
  if (interval.max.kind == End::kFinite) result.max = interval.max.value;
  return result;
}

Result<int64_t> SymInt::evaluate(const std::map<std::string, int64_t>& values) const {
  if (auto value = constant()) return *value;
  auto overflow = [this] { return invalid_argument("{} does not fit in 64 bits", to_string()); };
  if (overflowed()) return overflow();
  std::optional<int64_t> sum = 0;
  for (const Term& term : terms()) {
    std::optional<int64_t> product = term.coefficient;
    for (const Factor& factor : term.factors) {
      int64_t value = 0;
      if (factor.is_symbol()) {
        auto known = values.find(factor.symbol);
        if (known == values.end()) {
          return invalid_argument("symbol {} has no value", factor.symbol);
        }
        value = known->second;
      } else {
        SLIPWAY_ASSIGN_OR_RETURN(int64_t a, factor.arguments[0].evaluate(values));
        SLIPWAY_ASSIGN_OR_RETURN(int64_t b, factor.arguments[1].evaluate(values));
        auto result = apply(factor.function, a, b);
        if (!result) {
          return invalid_argument("{}({}, {}) is undefined or does not fit in 64 bits",
                                  function_name(factor.function), a, b);
        }
        value = *result;
      }
      product = checked_mul_signed(*product, value);
      if (!product) return overflow();
    }
    sum = checked_add_signed(*sum, *product);
    if (!sum) return overflow();
  }
  return *sum;
}

SymInt SymInt::substitute(const std::map<std::string, SymInt>& values) const {
  if (is_constant() || overflowed()) return *this;
  SymInt sum = 0;
  for (const Term& term : terms()) {
    SymInt product = term.coefficient;
    for (const Factor& factor : term.factors) {
      if (factor.is_symbol()) {
        auto replacement = values.find(factor.symbol);
        product =
            product * (replacement == values.end() ? symbol(factor.symbol) : replacement->second);
        continue;
      }
      SymInt a = factor.arguments[0].substitute(values);
      SymInt b = factor.arguments[1].substitute(values);
      switch (factor.function) {
        case Function::kFloorDiv:
          product = product * floordiv(a, b);
          break;
        case Function::kMod:
          product = product * mod(a, b);
          break;
        case Function::kMin:
          product = product * min(a, b);
          break;
        case Function::kMax:
          product = product * max(a, b);
          break;
        case Function::kPow:
          product = product * pow(a, b);
          break;
        case Function::kScale:
          product = product * scale(a, factor.scale());
          break;
      }
    }
    sum = sum + product;
  }
  return sum;
}

std::string SymInt::to_string() const {
  if (auto value = constant()) return std::to_string(*value);
  if (overflowed()) return "<overflow>";
  std::string result;
  for (const Term& term : terms()) {
    std::string text;
    for (size_t i = 0; i < term.factors.size();) {
      std::string factor = factor_text(term.factors[i]);
      size_t power = 1;
      while (i + power < term.factors.size() && same(term.factors[i], term.factors[i + power])) {
        ++power;
      }
      i += power;
      if (!text.empty()) text += '*';
      text += power == 1 ? factor : fmt::format("{}**{}", factor, power);
    }
    bool negative = term.coefficient < 0;
    std::string magnitude = std::to_string(term.coefficient).substr(negative ? 1 : 0);
    if (text.empty()) {
      text = magnitude;
    } else if (magnitude != "1") {
      text = fmt::format("{}*{}", magnitude, text);
    }
    if (result.empty()) {
      result = negative ? "-" : "";
    } else {
      result += negative ? " - " : " + ";
    }
    result += text;
  }
  return result;
}

std::string format_sizes(std::span<const SymInt> sizes) {
  std::string result = "[";
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (i > 0) result += ", ";
    result += sizes[i].to_string();
  }
  return result + "]";
}

}  // namespace slipway::ir
