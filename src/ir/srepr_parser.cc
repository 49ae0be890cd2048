// Reads symbolic integers as sympy's srepr prints them.
#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "base/identifier.h"
#include "base/scanner.h"
#include "base/try.h"
#include "ir/sym_int.h"

namespace slipway::ir {

namespace {

constexpr size_t kMaxLength = size_t{64} << 10;
constexpr int kMaxDepth = 64;
constexpr size_t kMaxArguments = 256;
// Floats and divisions are exact fractions here, but for a float whose denominator is past this,
// such as 0.1, of which PyTorch rounds the multiples.
constexpr int64_t kMaxDenominator = int64_t{1} << 20;
// Of decimal fractions in place of rounded floats.
constexpr int64_t kMaxDecimal = 10'000;

// What a sub-expression is worth: numerator / denominator. Only whole numbers leave the parser,
// but a rounding head may make one of a fraction inside.
struct Fraction {
  SymInt numerator = 0;
  SymInt denominator = 1;
  // Of which this is a multiple, by a whole number, that PyTorch rounds to a double.
  std::optional<double> factor = std::nullopt;
  // A quotient that PyTorch rounds to a double, which changes none of the whole numbers that are
  // made of it at once, and may change those of its multiples.
  bool is_rounded = false;

  std::optional<SymInt> whole() const {
    if (factor || is_rounded || denominator == SymInt(0)) return std::nullopt;
    if (denominator == SymInt(1)) return numerator;
    SymInt quotient = SymInt::floordiv(numerator, denominator);
    if (quotient * denominator == numerator) return quotient;
    return std::nullopt;
  }
};

// The decimal fraction whose multiples by whole numbers up to 2^31, rounded down, are those of the
// float. Most multiples are further from the next whole number than rounding goes. One that should
// be whole is so if the float is not below the decimal fraction; below it by 2^-54 of it at most,
// the product is rounded up to the whole number, from which the next double is further.
std::optional<Fraction> decimal(double value) {
  constexpr double kMost = 64;
  if (!(value > 0 && value < kMost)) return std::nullopt;
  for (int64_t denominator = 10; denominator <= kMaxDecimal; denominator *= 10) {
    const double numerator = std::round(value * static_cast<double>(denominator));
    if (numerator / static_cast<double>(denominator) != value) continue;
    const double excess = std::fma(value, static_cast<double>(denominator), -numerator);
    if (excess < -0x1p-54 * numerator) return std::nullopt;
    return Fraction{static_cast<int64_t>(numerator), denominator};
  }
  return std::nullopt;
}

class Parser : Scanner {
 public:
  using Scanner::Scanner;

  Result<SymInt> parse() {
    if (text().size() > kMaxLength) {
      return invalid_file("symbolic expression of {} characters is too long", text().size());
    }
    SLIPWAY_ASSIGN_OR_RETURN(Fraction value, expression(0));
    if (!at_end()) return error("text after its end");
    auto whole = value.whole();
    if (!whole) return error("it is not a whole number");
    return *whole;
  }

 private:
  // The text, or the start of a long one, for messages.
  std::string shown() const {
    constexpr size_t kShown = 200;
    return std::string(text().substr(0, kShown)) + (text().size() > kShown ? "..." : "");
  }
  Error error(const std::string& what) const {
    return invalid_file("symbolic expression \"{}\": {} (at character {})", shown(), what,
                        position());
  }
  Error unsupported_head(std::string_view head) const {
    return unsupported(
        "symbolic expression \"{}\": {} is not an integer function that Slipway knows", shown(),
        head);
  }

  Result<int64_t> integer() {
    skip_spaces();
    int64_t value = 0;
    const char* begin = rest().data();
    const auto [end, code] = std::from_chars(begin, begin + rest().size(), value);
    if (code != std::errc()) return error("an integer of 64 bits is expected");
    move_to(position() + static_cast<size_t>(end - begin));
    return value;
  }

  // The keyword arguments after the first one, such as `positive=True`, up to the parenthesis.
  Status keywords(bool* nonnegative) {
    while (take(',')) {
      std::string_view name = word(".");
      if (name.empty() || !take('=')) return error("a keyword argument is expected");
      std::string_view value = word(".");
      if (value.empty()) return error("a keyword argument has no value");
      if (nonnegative != nullptr && (name == "positive" || name == "nonnegative")) {
        *nonnegative = value == "True";
      }
    }
    if (!take(')')) return error("a closing parenthesis is expected");
    return {};
  }

  Result<Fraction> symbol() {
    const auto name = quoted();
    if (!name) return error("a quoted text is expected");
    // Nothing else gets into texts that Python evaluates.
    if (!is_identifier(*name)) return error("a symbol's name is no identifier");
    bool nonnegative = false;
    SLIPWAY_RETURN_IF_ERROR(keywords(&nonnegative));
    if (!nonnegative) all_nonnegative_ = false;
    return Fraction{SymInt::symbol(std::string(*name)), 1};
  }

  Result<Fraction> number() {
    const auto digits = quoted();
    if (!digits) return error("a quoted text is expected");
    SLIPWAY_RETURN_IF_ERROR(keywords(nullptr));
    double value = 0;
    const char* last = digits->data() + digits->size();
    const auto [end, code] = std::from_chars(digits->data(), last, value);
    if (code != std::errc() || end != last || !std::isfinite(value)) {
      return error("a finite number is expected");
    }
    const double given = value;
    int64_t denominator = 1;
    while (value != std::floor(value) && denominator < kMaxDenominator) {
      value *= 2;
      denominator *= 2;
    }
    if (value != std::floor(value)) return Fraction{1, 1, given};
    if (std::fabs(value) >= 0x1p62) {
      return unsupported("symbolic expression \"{}\": {} does not fit in 64 bits", shown(),
                         *digits);
    }
    return Fraction{static_cast<int64_t>(value), denominator};
  }

  Result<Fraction> expression(int depth) {
    if (depth > kMaxDepth) return error("it nests too deep");
    std::string_view head = word(".");
    if (head.empty()) return error("a name is expected");
    if (!take('(')) {
      bool is_name = head.find('.') == std::string_view::npos && (head[0] < '0' || head[0] > '9');
      if (depth == 0 && is_name) return Fraction{SymInt::symbol(std::string(head)), 1};
      return error("an opening parenthesis is expected");
    }
    if (head == "Symbol" || head == "Dummy") return symbol();
    if (head == "Float") return number();
    if (head == "Integer") {
      SLIPWAY_ASSIGN_OR_RETURN(int64_t value, integer());
      if (!take(')')) return error("a closing parenthesis is expected");
      return Fraction{value, 1};
    }
    if (head == "Rational") {
      SLIPWAY_ASSIGN_OR_RETURN(int64_t numerator, integer());
      if (!take(',')) return error("a comma is expected");
      SLIPWAY_ASSIGN_OR_RETURN(int64_t denominator, integer());
      if (denominator == 0) return error("a division by zero");
      if (!take(')')) return error("a closing parenthesis is expected");
      return Fraction{numerator, denominator};
    }
    if (head == "Piecewise") return piecewise(depth);
    std::vector<Fraction> arguments;
    if (!take(')')) {
      do {
        if (arguments.size() == kMaxArguments) return error("a function has too many arguments");
        SLIPWAY_ASSIGN_OR_RETURN(Fraction argument, expression(depth + 1));
        arguments.push_back(std::move(argument));
      } while (take(','));
      if (!take(')')) return error("a comma or a closing parenthesis is expected");
    }
    return call(head, arguments);
  }

  Result<SymInt> whole_expression(int depth) {
    SLIPWAY_ASSIGN_OR_RETURN(const Fraction value, expression(depth));
    return whole_number(value);
  }

  // The first value whose condition holds. The last condition is true.
  Result<Fraction> piecewise(int depth) {
    std::vector<std::pair<SymInt, SymInt>> pieces;
    do {
      if (pieces.size() == kMaxArguments) return error("a function has too many arguments");
      if (word(".") != "ExprCondPair" || !take('(')) return error("an ExprCondPair is expected");
      ++pieces_around_;
      SLIPWAY_ASSIGN_OR_RETURN(SymInt value, whole_expression(depth + 1));
      if (!take(',')) return error("a comma is expected");
      SLIPWAY_ASSIGN_OR_RETURN(SymInt holds, condition(depth + 1));
      --pieces_around_;
      if (!take(')')) return error("a closing parenthesis is expected");
      pieces.emplace_back(std::move(value), std::move(holds));
    } while (take(','));
    if (!take(')')) return error("a comma or a closing parenthesis is expected");
    if (pieces.back().second != SymInt(1)) return error("the last piece has a condition");
    // Of the products one is its value and the others are 0. Each condition occurs once in each, so
    // that the sum grows with the square of the number of pieces, and no faster.
    SymInt sum = 0;
    SymInt least = pieces.front().first;
    SymInt most = least;
    std::optional<SymInt> none;  // 1 as long as no condition has held
    for (const auto& [value, holds] : pieces) {
      sum = sum + value * (none ? SymInt::min(*none, holds) : holds);
      none = none ? SymInt::min(*none, SymInt(1) - holds) : SymInt(1) - holds;
      least = SymInt::min(least, value);
      most = SymInt::max(most, value);
    }
    // Bounds of the sum alone would lie outside those of all values.
    const SymInt result = SymInt::max(least, SymInt::min(most, sum));
    return Fraction{result, 1};
  }

  // All pieces are computed, and what one that is not chosen divides by may be 0.
  bool may_divide_by(const SymInt& divisor) const {
    return pieces_around_ == 0 || divisor.constant();
  }
  Error unsupported_divisor() {
    return unsupported(
        "symbolic expression \"{}\": it divides by a size in a value that a condition chooses",
        shown());
  }

  // 1 if it holds, 0 if not.
  Result<SymInt> condition(int depth) {
    if (depth > kMaxDepth) return error("it nests too deep");
    const std::string_view head = word(".");
    if (head == "true" || head == "True") return SymInt(1);
    if (head == "false" || head == "False") return SymInt(0);
    if (!take('(')) return error("a condition is expected");
    if (head == "And" || head == "Or" || head == "Not") return junction(head, depth);
    SLIPWAY_ASSIGN_OR_RETURN(const SymInt a, whole_expression(depth + 1));
    if (!take(',')) return error("a comma is expected");
    SLIPWAY_ASSIGN_OR_RETURN(const SymInt b, whole_expression(depth + 1));
    if (!take(')')) return error("a closing parenthesis is expected");
    const auto is_positive = [](const SymInt& x) { return SymInt::min(1, SymInt::max(x, 0)); };
    const SymInt differs = is_positive(SymInt::max(a - b, b - a));
    if (head == "Equality") return SymInt(1) - differs;
    if (head == "Unequality") return differs;
    if (head == "StrictLessThan") return is_positive(b - a);
    if (head == "StrictGreaterThan") return is_positive(a - b);
    if (head == "LessThan") return is_positive(b - a + 1);
    if (head == "GreaterThan") return is_positive(a - b + 1);
    return unsupported("symbolic expression \"{}\": {} is not a condition that Slipway knows",
                       shown(), head);
  }

  Result<SymInt> junction(std::string_view head, int depth) {
    SLIPWAY_ASSIGN_OR_RETURN(SymInt result, condition(depth + 1));
    while (head != "Not" && take(',')) {
      SLIPWAY_ASSIGN_OR_RETURN(const SymInt next, condition(depth + 1));
      result = head == "And" ? SymInt::min(result, next) : SymInt::max(result, next);
    }
    if (!take(')')) return error("a closing parenthesis is expected");
    return head == "Not" ? SymInt(1) - result : result;
  }

  Result<Fraction> call(std::string_view head, const std::vector<Fraction>& arguments) {
    const auto has_factor = [](const Fraction& argument) { return argument.factor.has_value(); };
    if (std::any_of(arguments.begin(), arguments.end(), has_factor)) {
      return call_with_factor(head, arguments);
    }
    const auto is_rounded = [](const Fraction& argument) { return argument.is_rounded; };
    const bool computes = arguments.size() > 1 || head == "Add" || head == "Mul";
    if (computes && std::any_of(arguments.begin(), arguments.end(), is_rounded)) {
      return unsupported_rounding();
    }
    if (head == "Add" || head == "Mul") {
      Fraction result{head == "Add" ? 0 : 1, 1};
      for (const Fraction& argument : arguments) {
        if (head == "Add") {
          result.numerator =
              result.numerator * argument.denominator + argument.numerator * result.denominator;
        } else {
          result.numerator = result.numerator * argument.numerator;
        }
        result.denominator = result.denominator * argument.denominator;
        if (auto whole = result.whole()) result = {*whole, 1};
      }
      return result;
    }
    if (head == "Max" || head == "Min") return extremum(head == "Max", arguments);
    if (head == "ModularIndexing") {
      if (arguments.size() != 3) return error("ModularIndexing takes three arguments");
      SLIPWAY_ASSIGN_OR_RETURN(std::vector<SymInt> values, whole_numbers(arguments));
      if (!may_divide_by(values[1]) || !may_divide_by(values[2])) return unsupported_divisor();
      return Fraction{SymInt::mod(SymInt::floordiv(values[0], values[1]), values[2]), 1};
    }
    if (arguments.size() == 1) return unary(head, arguments[0]);
    if (arguments.size() == 2) return binary(head, arguments);
    return unsupported_head(head);
  }

  // A multiple of a rounded float by a whole number, which then becomes whole.
  Result<Fraction> call_with_factor(std::string_view head, const std::vector<Fraction>& arguments) {
    if (head == "Mul" && arguments.size() == 2) {
      const Fraction& multiple = arguments[arguments[0].factor ? 0 : 1];
      const auto whole = arguments[arguments[0].factor ? 1 : 0].whole();
      if (whole && multiple.numerator == SymInt(1)) return Fraction{*whole, 1, multiple.factor};
    }
    if (arguments.size() == 1) {
      const SymInt& a = arguments[0].numerator;
      const double factor = *arguments[0].factor;
      if (head == "Identity") return arguments[0];
      const bool is_positive = factor > 0 && is_nonnegative(a, 1);
      if (head == "TruncToInt" || (head == "FloorToInt" && is_positive)) {
        const auto fraction = is_positive ? decimal(factor) : std::nullopt;
        if (!fraction) return Fraction{SymInt::scale(a, factor), 1};
        return Fraction{SymInt::floordiv(a * fraction->numerator, fraction->denominator), 1};
      }
    }
    return unsupported_rounding();
  }

  Error unsupported_rounding() {
    return unsupported(
        "symbolic expression \"{}\": it rounds to floating-point numbers in a way that Slipway "
        "does not know: int(size * factor) and int(size / size) are known; give sizes, such as "
        "interpolate(size=...), otherwise",
        shown());
  }

  Result<Fraction> extremum(bool max, const std::vector<Fraction>& arguments) {
    if (arguments.empty()) return error("Min and Max need an argument");
    SLIPWAY_ASSIGN_OR_RETURN(std::vector<SymInt> values, whole_numbers(arguments));
    SymInt result = values[0];
    for (const SymInt& value : values) {
      result = max ? SymInt::max(result, value) : SymInt::min(result, value);
    }
    return Fraction{result, 1};
  }

  Result<Fraction> unary(std::string_view head, const Fraction& argument) {
    const SymInt& a = argument.numerator;
    const SymInt& b = argument.denominator;
    if (head == "ToFloat" || head == "Identity") return argument;
    if (head == "FloorToInt" || head == "floor") return Fraction{SymInt::floordiv(a, b), 1};
    if (head == "CeilToInt" || head == "ceiling") return Fraction{-SymInt::floordiv(-a, b), 1};
    if (head == "TruncToInt") {
      // Rounds to zero, which is down for what can't be negative.
      if (!argument.whole() && !is_nonnegative(a, b)) {
        return unsupported(
            "symbolic expression \"{}\": the sign of what TruncToInt rounds is unknown", text());
      }
      return Fraction{SymInt::floordiv(a, b), 1};
    }
    if (head == "Abs") {
      if (!argument.whole()) return error("Abs of a fraction");
      return Fraction{SymInt::max(*argument.whole(), -*argument.whole()), 1};
    }
    return unsupported_head(head);
  }

  Result<Fraction> binary(std::string_view head, const std::vector<Fraction>& arguments) {
    const Fraction& a = arguments[0];
    const Fraction& b = arguments[1];
    SymInt numerator = a.numerator * b.denominator;
    SymInt denominator = a.denominator * b.numerator;
    const bool divides = head.ends_with("Div") || head == "Mod" || head == "PythonMod";
    const bool inverts = head == "Pow" && b.whole() == SymInt(-1);
    if ((divides && !may_divide_by(b.numerator)) || (inverts && !may_divide_by(a.numerator))) {
      return unsupported_divisor();
    }
    if (head == "IntTrueDiv" || head == "FloatTrueDiv") {
      if (denominator == SymInt(0)) return error("a division by zero");
      Fraction result{numerator, denominator};
      if (auto whole = result.whole()) return Fraction{*whole, 1};
      const auto divisor = result.denominator.constant();
      result.is_rounded = !divisor || !std::has_single_bit(static_cast<uint64_t>(*divisor));
      return result;
    }
    if (head == "FloorDiv" || head == "CleanDiv") {
      if (denominator == SymInt(0)) return error("a division by zero");
      return Fraction{SymInt::floordiv(numerator, denominator), 1};
    }
    if (head == "CeilDiv") {
      if (denominator == SymInt(0)) return error("a division by zero");
      return Fraction{-SymInt::floordiv(-numerator, denominator), 1};
    }
    if (inverts) {
      if (a.numerator == SymInt(0)) return error("a division by zero");
      return Fraction{a.denominator, a.numerator};
    }
    SLIPWAY_ASSIGN_OR_RETURN(std::vector<SymInt> values, whole_numbers(arguments));
    if (head == "Mod" || head == "PythonMod") {
      if (values[1] == SymInt(0)) return error("a division by zero");
      return Fraction{SymInt::mod(values[0], values[1]), 1};
    }
    if (head == "Pow" || head == "PowByNatural")
      return Fraction{SymInt::pow(values[0], values[1]), 1};
    if (head == "LShift") return Fraction{values[0] * SymInt::pow(2, values[1]), 1};
    if (head == "RShift") {
      return Fraction{SymInt::floordiv(values[0], SymInt::pow(2, values[1])), 1};
    }
    return unsupported_head(head);
  }

  Result<SymInt> whole_number(const Fraction& fraction) const {
    auto whole = fraction.whole();
    if (!whole) return error("a fraction where a whole number is needed");
    return *std::move(whole);
  }

  Result<std::vector<SymInt>> whole_numbers(const std::vector<Fraction>& fractions) const {
    std::vector<SymInt> result;
    for (const Fraction& fraction : fractions) {
      SLIPWAY_ASSIGN_OR_RETURN(result.emplace_back(), whole_number(fraction));
    }
    return result;
  }

  // Known from the signs that sympy wrote beside the symbols.
  bool is_nonnegative(const SymInt& a, const SymInt& b) const {
    if (!all_nonnegative_) return false;
    SymbolRanges ranges;
    for (const SymInt* value : {&a, &b}) {
      for (const std::string& name : value->symbols()) ranges[name].min = 0;
    }
    auto low = [&](const SymInt& value) { return value.bounds(ranges).min.value_or(-1); };
    return low(a) >= 0 && low(b) >= 0;
  }

  bool all_nonnegative_ = true;

  int pieces_around_ = 0;
};

}  // namespace

Result<SymInt> SymInt::parse_srepr(const std::string& text) { return Parser(text).parse(); }

}  // namespace slipway::ir
