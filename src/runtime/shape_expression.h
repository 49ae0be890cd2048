// Sizes as the manifest writes them: "3", "s77", "2*s77 + 1", "floordiv(s0, 2)".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace slipway::runtime {

// The symbols of one method, by number.
class SymbolTable {
 public:
  int number(std::string_view name);
  size_t size() const { return names_.size(); }
  const std::string& name(int number) const { return names_[static_cast<size_t>(number)]; }

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, int> numbers_;
};

// The value of each symbol, by number; nothing where it is not known yet.
using SymbolValues = std::vector<std::optional<int64_t>>;

// Immutable; safe to read from several threads.
class ShapeExpression {
 public:
  // Nothing where the text is no expression over + - * ( ), integers, symbols and the functions
  // floordiv, mod, min, max, pow and scale, whose second argument is a number of floating point, or
  // is nested past 64 levels.
  static std::optional<ShapeExpression> parse(std::string_view text, SymbolTable& symbols);

  // The symbol, where the expression is nothing else.
  std::optional<int> symbol() const;
  std::optional<int64_t> constant() const;
  // Nothing where a symbol has no value, at an overflow and at a division by zero.
  std::optional<int64_t> evaluate(const SymbolValues& values) const;
  // Where exactly one symbol has no value and the expression is linear in it: gives it the value
  // for which the expression is `result`. False where that is no integer.
  bool solve(int64_t result, SymbolValues& values) const;

 private:
  friend class ShapeParser;
  enum class Op : uint8_t {
    kConstant,
    kSymbol,
    kAdd,
    kSubtract,
    kMultiply,
    kNegate,
    kFloorDiv,
    kMod,
    kMin,
    kMax,
    kPow,
    kScale
  };
  // In postfix order.
  struct Step {
    Op op;
    int64_t operand = 0;  // the constant, the symbol's number, or the bits of kScale's factor
  };
  std::vector<Step> steps_;
};

}  // namespace slipway::runtime
