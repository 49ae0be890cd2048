#include "runtime/shape_expression.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/checked.h"
#include "base/scanner.h"

namespace slipway::runtime {
namespace {

constexpr int kDeepest = 64;

std::optional<int64_t> subtract(int64_t a, int64_t b) {
  int64_t result;
  if (__builtin_sub_overflow(a, b, &result)) return std::nullopt;
  return result;
}

std::optional<int64_t> floor_div(int64_t a, int64_t b) {
  if (b == 0 || (a == INT64_MIN && b == -1)) return std::nullopt;
  const int64_t quotient = a / b;
  return quotient - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

std::optional<int64_t> floor_mod(int64_t a, int64_t b) {
  if (b == 0 || (a == INT64_MIN && b == -1)) return std::nullopt;
  const int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

std::optional<int64_t> power(int64_t base, int64_t exponent) {
  if (exponent < 0 || exponent > 63) return std::nullopt;
  std::optional<int64_t> result = 1;
  for (; exponent > 0 && result; --exponent) result = checked_mul_signed(*result, base);
  return result;
}

}  // namespace

int SymbolTable::number(std::string_view name) {
  const auto [entry, is_new] = numbers_.emplace(name, static_cast<int>(names_.size()));
  if (is_new) names_.push_back(entry->first);
  return entry->second;
}

// Recursive descent: sum = product {("+" | "-") product}, product = unary {"*" unary},
// unary = ["-"] atom, atom = integer | symbol | function "(" sum "," sum ")" |
// "scale" "(" sum "," number ")" | "(" sum ")".
class ShapeParser : Scanner {
 public:
  using Op = ShapeExpression::Op;

  ShapeParser(std::string_view text, SymbolTable& symbols) : Scanner(text), symbols_(symbols) {}

  std::optional<ShapeExpression> parse() {
    if (!sum(0)) return std::nullopt;
    skip_spaces();
    if (!at_end()) return std::nullopt;
    return std::move(result_);
  }

 private:
  void add(Op op, int64_t operand = 0) { result_.steps_.push_back({op, operand}); }

  bool sum(int depth) {
    if (depth > kDeepest || !product(depth)) return false;
    while (true) {
      const bool plus = take('+');
      if (!plus && !take('-')) return true;
      if (!product(depth)) return false;
      add(plus ? Op::kAdd : Op::kSubtract);
    }
  }

  bool product(int depth) {
    if (!unary(depth)) return false;
    while (take('*')) {
      if (!unary(depth)) return false;
      add(Op::kMultiply);
    }
    return true;
  }

  bool unary(int depth) {
    if (!take('-')) return atom(depth);
    if (!atom(depth)) return false;
    add(Op::kNegate);
    return true;
  }

  bool atom(int depth) {
    if (take('(')) return sum(depth + 1) && take(')');
    const std::string_view word = this->word();
    if (word.empty()) return false;
    if (std::isdigit(static_cast<unsigned char>(word.front())) != 0) {
      int64_t value = 0;
      auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
      if (error != std::errc() || end != word.data() + word.size()) return false;
      add(Op::kConstant, value);
      return true;
    }
    if (!take('(')) {
      add(Op::kSymbol, symbols_.number(word));
      return true;
    }
    constexpr std::pair<std::string_view, Op> kFunctions[] = {{"floordiv", Op::kFloorDiv},
                                                              {"mod", Op::kMod},
                                                              {"min", Op::kMin},
                                                              {"max", Op::kMax},
                                                              {"pow", Op::kPow}};
    for (const auto& [name, op] : kFunctions) {
      if (name != word) continue;
      if (!sum(depth + 1) || !take(',') || !sum(depth + 1) || !take(')')) return false;
      add(op);
      return true;
    }
    return word == "scale" && sum(depth + 1) && take(',') && factor();
  }

  bool factor() {
    skip_spaces();
    double value = 0;
    const char* begin = rest().data();
    const auto [end, error] = std::from_chars(begin, begin + rest().size(), value);
    if (error != std::errc() || !std::isfinite(value)) return false;
    move_to(position() + static_cast<size_t>(end - begin));
    add(Op::kScale, std::bit_cast<int64_t>(value));
    return take(')');
  }

  SymbolTable& symbols_;
  ShapeExpression result_;
};

std::optional<ShapeExpression> ShapeExpression::parse(std::string_view text, SymbolTable& symbols) {
  constexpr size_t kLongest = 1024;  // keeps evaluate()'s stack small
  if (text.size() > kLongest) return std::nullopt;
  return ShapeParser(text, symbols).parse();
}

std::optional<int> ShapeExpression::symbol() const {
  if (steps_.size() != 1 || steps_[0].op != Op::kSymbol) return std::nullopt;
  return static_cast<int>(steps_[0].operand);
}

std::optional<int64_t> ShapeExpression::constant() const {
  for (const Step& step : steps_) {
    if (step.op == Op::kSymbol) return std::nullopt;
  }
  return evaluate({});
}

std::optional<int64_t> ShapeExpression::evaluate(const SymbolValues& values) const {
  std::array<int64_t, 1024> stack;
  size_t depth = 0;
  for (const Step& step : steps_) {
    std::optional<int64_t> result;
    if (step.op == Op::kConstant) {
      result = step.operand;
    } else if (step.op == Op::kSymbol) {
      result = values[static_cast<size_t>(step.operand)];
    } else if (step.op == Op::kNegate) {
      result = checked_mul_signed(stack[--depth], -1);
    } else if (step.op == Op::kScale) {
      result = checked_scale(stack[--depth], std::bit_cast<double>(step.operand));
    } else {
      const int64_t b = stack[--depth];
      const int64_t a = stack[--depth];
      switch (step.op) {
        case Op::kAdd:
          result = checked_add_signed(a, b);
          break;
        case Op::kSubtract:
          result = subtract(a, b);
          break;
        case Op::kMultiply:
          result = checked_mul_signed(a, b);
          break;
        case Op::kFloorDiv:
          result = floor_div(a, b);
          break;
        case Op::kMod:
          result = floor_mod(a, b);
          break;
        case Op::kMin:
          result = std::min(a, b);
          break;
        case Op::kMax:
          result = std::max(a, b);
          break;
        default:
          result = power(a, b);
          break;
      }
    }
    if (!result) return std::nullopt;
    stack[depth++] = *result;
  }
  return stack[0];
}

bool ShapeExpression::solve(int64_t result, SymbolValues& values) const {
  std::optional<size_t> unknown;
  for (const Step& step : steps_) {
    if (step.op == Op::kSymbol) {
      const size_t symbol = static_cast<size_t>(step.operand);
      if (values[symbol]) continue;
      if (unknown && *unknown != symbol) return true;
      unknown = symbol;
    } else if (step.op >= Op::kFloorDiv) {
      return true;
    }
  }
  if (!unknown) return true;
  std::array<std::optional<int64_t>, 3> at;
  for (size_t i = 0; i < at.size(); ++i) {
    values[*unknown] = static_cast<int64_t>(i);
    at[i] = evaluate(values);
  }
  values[*unknown] = std::nullopt;
  if (!at[0] || !at[1] || !at[2]) return true;
  const auto slope = subtract(*at[1], *at[0]);
  const auto next = subtract(*at[2], *at[1]);
  const auto rest = subtract(result, *at[0]);
  if (!slope || !rest || *slope == 0 || slope != next) return true;
  if (*slope == -1 ? *rest == INT64_MIN : *rest % *slope != 0) return false;
  values[*unknown] = *rest / *slope;
  return true;
}

}  // namespace slipway::runtime
