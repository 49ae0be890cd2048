// Symbolic integers: the sizes of tensors whose shape is not fixed.
#pragma once

#include <bit>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "slipway/result.h"

namespace slipway::ir {

// Inclusive bounds; a missing end is unbounded.
struct Range {
  std::optional<int64_t> min;
  std::optional<int64_t> max;
  bool operator==(const Range&) const = default;
};

// The bounds of symbols, by name.
using SymbolRanges = std::map<std::string, Range>;

// An integer expression over named symbols, in a normal form: a polynomial with integer
// coefficients over symbols and over functions (floordiv, mod, min, max, pow with a symbolic
// exponent, scale) of normal forms. Two equal polynomials therefore compare equal: 2*(s0 + 1) ==
// 2*s0 + 2. Immutable and cheap to copy; safe to read from several threads.
//
// Arithmetic that leaves 64 bits gives an expression for which overflowed() holds; the verifier
// refuses programs that contain one.
class SymInt {
 public:
  enum class Function : uint8_t { kFloorDiv, kMod, kMin, kMax, kPow, kScale };

  SymInt() : SymInt(0) {}
  SymInt(int64_t value);                                      // NOLINT(google-explicit-constructor)
  SymInt(int value) : SymInt(static_cast<int64_t>(value)) {}  // NOLINT(google-explicit-constructor)
  static SymInt symbol(std::string name);
  static SymInt floordiv(const SymInt& a, const SymInt& b);  // Rounds to minus infinity, as Python.
  static SymInt mod(const SymInt& a, const SymInt& b);       // The sign of b, as Python.
  static SymInt min(const SymInt& a, const SymInt& b);
  static SymInt max(const SymInt& a, const SymInt& b);
  static SymInt pow(const SymInt& base, const SymInt& exponent);
  // int(float(a) * factor) of Python: the product is rounded to a double, and then to zero. The
  // factor is finite.
  static SymInt scale(const SymInt& a, double factor);

  SymInt operator+(const SymInt& other) const;
  SymInt operator-(const SymInt& other) const;
  SymInt operator*(const SymInt& other) const;
  SymInt operator-() const;
  bool operator==(const SymInt& other) const;
  // Some total order, the same in every run; for use as a key.
  std::strong_ordering operator<=>(const SymInt& other) const;

  bool is_constant() const;
  bool is_symbol() const;  // A bare symbol.
  std::optional<int64_t> constant() const;
  // Requires is_symbol().
  const std::string& symbol_name() const;
  bool overflowed() const;

  // The symbols that occur, sorted, each once.
  std::vector<std::string> symbols() const;

  // The polynomial, for whoever turns the expression into instructions: a sum of
  // coefficient * product of factors. The constant term has no factors.
  struct Factor;  // a symbol or a function call
  struct Term {
    int64_t coefficient = 0;
    std::vector<Factor> factors;  // repeated for powers
  };
  std::vector<Term> terms() const;
  // What solves for a symbol: coefficient * symbol + offset; nullopt for other expressions.
  struct Linear {
    std::string symbol;
    int64_t coefficient = 1;
    int64_t offset = 0;
    bool is_bare() const { return coefficient == 1 && offset == 0; }
  };
  std::optional<Linear> linear() const;

  // By interval arithmetic: bounds that hold wherever the symbols lie within `ranges`. A symbol
  // without an entry is unbounded.
  Range bounds(const SymbolRanges& ranges) const;
  // The value where every symbol has one; an error names the symbol that has none, or says that
  // a division by zero or an overflow happened.
  Result<int64_t> evaluate(const std::map<std::string, int64_t>& values) const;
  // Each symbol in `values` is replaced by its expression.
  SymInt substitute(const std::map<std::string, SymInt>& values) const;

  // "2*s0 + 1", "floordiv(s0, 2)", "min(s0, 4)", "scale(s0, 0.57)".
  std::string to_string() const;

  // Parses what sympy's srepr printed: "Add(Mul(Integer(2), Symbol('s77', positive=True,
  // integer=True)), Integer(3))". Relations and other heads that are not integers are an error, as
  // is nesting past 64 levels.
  static Result<SymInt> parse_srepr(const std::string& text);

 private:
  struct Polynomial;
  // Null for a constant, which is then `constant_`.
  std::shared_ptr<const Polynomial> polynomial_;
  int64_t constant_ = 0;
};

struct SymInt::Factor {
  // Either a symbol, or a function of two arguments; the second one of kScale is a constant that
  // has the bits of the double.
  std::string symbol;
  Function function = Function::kFloorDiv;
  std::vector<SymInt> arguments;
  bool is_symbol() const { return !symbol.empty(); }
  bool is_scale() const { return !is_symbol() && function == Function::kScale; }
  double scale() const { return std::bit_cast<double>(*arguments.at(1).constant()); }
};

// Equal, or not known to differ.
bool may_equal(const SymInt& a, const SymInt& b);
// The product of all sizes.
SymInt numel(std::span<const SymInt> sizes);
// The strides, in elements, of a contiguous tensor; a size of 0 counts as 1, as in PyTorch, and
// symbolic sizes are taken not to be 0.
std::vector<SymInt> contiguous_strides(std::span<const SymInt> sizes);
// "[2, s0]"
std::string format_sizes(std::span<const SymInt> sizes);

}  // namespace slipway::ir
