#include "ir/sym_int.h"

#include <algorithm>
#include <numeric>

#include "base/checked.h"

namespace slipway::ir {

namespace {

// Past these an expression counts as overflowed: no real program comes near them, and they keep
// hostile ones from costing time or stack.
constexpr size_t kMaxTerms = 256;
constexpr size_t kMaxDegree = 64;
constexpr int kMaxNesting = 128;
// Of symbols and calls, shared parts counted wherever they occur: whoever walks an expression does.
constexpr size_t kMaxSize = size_t{1} << 16;
constexpr size_t kMaxExtremumArguments = 32;

int64_t floor_quotient(int64_t a, int64_t b) {
  int64_t quotient = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? quotient - 1 : quotient;
}

int64_t floor_remainder(int64_t a, int64_t b) {
  int64_t remainder = a % b;
  return (remainder != 0 && (remainder < 0) != (b < 0)) ? remainder + b : remainder;
}

// The greatest one, but where an argument is INT64_MIN, whose magnitude does not fit.
int64_t common_divisor(int64_t a, int64_t b) {
  auto magnitude_fits = [](int64_t value) { return value == INT64_MIN ? INT64_MIN / 2 : value; };
  return std::gcd(magnitude_fits(a), magnitude_fits(b));
}

}  // namespace

struct SymInt::Polynomial {
  using Atom = std::shared_ptr<const Factor>;
  struct Monomial {
    int64_t coefficient = 0;
    std::vector<Atom> factors;  // sorted
  };
  using Monomials = std::vector<Monomial>;

  // Sorted by descending degree, then by factors; no two with equal factors, none with
  // coefficient 0. Never a lone constant: that has no polynomial.
  Monomials monomials;
  bool overflow = false;
  int depth = 0;
  size_t size = 0;  // see kMaxSize

  static SymInt overflowed() {
    static const auto* kOverflowed = [] {
      auto polynomial = std::make_shared<Polynomial>();
      polynomial->overflow = true;
      return new std::shared_ptr<const Polynomial>(std::move(polynomial));
    }();
    SymInt result;
    result.polynomial_ = *kOverflowed;
    return result;
  }

  static std::strong_ordering compare(const Atom& a, const Atom& b) {
    if (a == b) return std::strong_ordering::equal;
    if (a->is_symbol() || b->is_symbol()) {
      if (a->is_symbol() != b->is_symbol()) {
        return a->is_symbol() ? std::strong_ordering::less : std::strong_ordering::greater;
      }
      return a->symbol.compare(b->symbol) <=> 0;
    }
    if (a->function != b->function) return a->function <=> b->function;
    if (auto order = a->arguments[0] <=> b->arguments[0]; std::is_neq(order)) return order;
    return a->arguments[1] <=> b->arguments[1];
  }

  // Graded lexicographic order, so that leading terms multiply and polynomials can be divided.
  static std::strong_ordering compare(const std::vector<Atom>& a, const std::vector<Atom>& b) {
    if (a.size() != b.size()) return b.size() <=> a.size();
    for (size_t i = 0; i < a.size(); ++i) {
      if (auto order = compare(a[i], b[i]); std::is_neq(order)) return order;
    }
    return std::strong_ordering::equal;
  }

  static Monomials monomials_of(const SymInt& value) {
    if (value.polynomial_ != nullptr) return value.polynomial_->monomials;
    if (value.constant_ == 0) return {};
    return {{value.constant_, {}}};
  }

  // Takes sorted monomials without zeros or duplicates.
  static SymInt from_sorted(Monomials monomials) {
    if (monomials.empty()) return 0;
    if (monomials.size() == 1 && monomials[0].factors.empty()) return monomials[0].coefficient;
    if (monomials.size() > kMaxTerms) return overflowed();
    auto polynomial = std::make_shared<Polynomial>();
    for (const Monomial& monomial : monomials) {
      if (monomial.factors.size() > kMaxDegree) return overflowed();
      polynomial->size += monomial.factors.size();
      for (const Atom& atom : monomial.factors) {
        for (const SymInt& argument : atom->arguments) {
          if (argument.polynomial_ == nullptr) continue;
          polynomial->depth = std::max(polynomial->depth, argument.polynomial_->depth + 1);
          polynomial->size += argument.polynomial_->size;
        }
      }
    }
    if (polynomial->depth > kMaxNesting || polynomial->size > kMaxSize) return overflowed();
    polynomial->monomials = std::move(monomials);
    SymInt result;
    result.polynomial_ = std::move(polynomial);
    return result;
  }

  static SymInt from_unsorted(Monomials monomials) {
    std::sort(monomials.begin(), monomials.end(), [](const Monomial& a, const Monomial& b) {
      return std::is_lt(compare(a.factors, b.factors));
    });
    Monomials merged;
    for (Monomial& monomial : monomials) {
      if (!merged.empty() && std::is_eq(compare(merged.back().factors, monomial.factors))) {
        auto sum = checked_add_signed(merged.back().coefficient, monomial.coefficient);
        if (!sum) return overflowed();
        merged.back().coefficient = *sum;
      } else {
        merged.push_back(std::move(monomial));
      }
    }
    std::erase_if(merged, [](const Monomial& monomial) { return monomial.coefficient == 0; });
    return from_sorted(std::move(merged));
  }

  static SymInt from_atom(Factor factor) {
    return from_sorted({{1, {std::make_shared<const Factor>(std::move(factor))}}});
  }

  static SymInt call(Function function, const SymInt& a, const SymInt& b) {
    Factor factor;
    factor.function = function;
    factor.arguments = {a, b};
    return from_atom(std::move(factor));
  }

  // The arguments where `value` is nothing but a call of the function.
  static const Factor* as_call(const SymInt& value, Function function) {
    if (value.polynomial_ == nullptr || value.polynomial_->monomials.size() != 1) return nullptr;
    const Monomial& monomial = value.polynomial_->monomials[0];
    if (monomial.coefficient != 1 || monomial.factors.size() != 1) return nullptr;
    const Factor& factor = *monomial.factors[0];
    return !factor.is_symbol() && factor.function == function ? &factor : nullptr;
  }

  static std::vector<Atom> multiply(const std::vector<Atom>& a, const std::vector<Atom>& b) {
    std::vector<Atom> result;
    result.reserve(a.size() + b.size());
    std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result),
               [](const Atom& x, const Atom& y) { return std::is_lt(compare(x, y)); });
    return result;
  }

  // a / b where b's factors are among a's.
  static std::optional<std::vector<Atom>> divide(const std::vector<Atom>& a,
                                                 const std::vector<Atom>& b) {
    std::vector<Atom> result;
    size_t taken = 0;
    for (const Atom& atom : a) {
      if (taken < b.size() && std::is_eq(compare(atom, b[taken]))) {
        ++taken;
      } else {
        result.push_back(atom);
      }
    }
    if (taken != b.size()) return std::nullopt;
    return result;
  }

  static std::optional<Monomial> divide(const Monomial& a, const Monomial& b) {
    if (b.coefficient == -1 && a.coefficient == INT64_MIN) return std::nullopt;
    if (a.coefficient % b.coefficient != 0) return std::nullopt;
    auto factors = divide(a.factors, b.factors);
    if (!factors) return std::nullopt;
    return Monomial{a.coefficient / b.coefficient, std::move(*factors)};
  }

  // q where a == q * b, if there is one. b is not 0.
  static std::optional<SymInt> divide_exactly(SymInt a, const SymInt& b) {
    Monomials divisor = monomials_of(b);
    SymInt quotient = 0;
    for (size_t step = 0; step < kMaxTerms; ++step) {
      if (a == SymInt(0)) return quotient;
      if (a.overflowed()) return std::nullopt;
      auto term = divide(monomials_of(a).front(), divisor.front());
      if (!term) return std::nullopt;
      SymInt factor = from_sorted({std::move(*term)});
      quotient = quotient + factor;
      a = a - factor * b;
    }
    return std::nullopt;
  }

  // a == quotient * b + rest, term by term; b is one term.
  static std::pair<SymInt, SymInt> split(const SymInt& a, const Monomial& b) {
    Monomials quotient;
    Monomials rest;
    for (Monomial& monomial : monomials_of(a)) {
      if (auto term = divide(monomial, b)) {
        quotient.push_back(std::move(*term));
      } else {
        rest.push_back(std::move(monomial));
      }
    }
    return {from_unsorted(std::move(quotient)), from_sorted(std::move(rest))};
  }

  static int64_t constant_term(const SymInt& value) {
    if (value.polynomial_ == nullptr) return value.constant_;
    const Monomial& last = value.polynomial_->monomials.back();
    return last.factors.empty() ? last.coefficient : 0;
  }

  // The greatest common divisor of `start` and the coefficients, without the constant's.
  static int64_t content(const SymInt& value, int64_t start) {
    int64_t result = start;
    for (const Monomial& monomial : monomials_of(value)) {
      if (!monomial.factors.empty()) result = common_divisor(result, monomial.coefficient);
    }
    return result;
  }

  static SymInt floordiv_by_constant(const SymInt& a, int64_t divisor);
  static SymInt floordiv_by_term(const SymInt& a, const Monomial& divisor);
  static SymInt mod_by_constant(const SymInt& a, int64_t divisor);
  static SymInt extremum(Function function, const SymInt& a, const SymInt& b);
};

SymInt::SymInt(int64_t value) : constant_(value) {}

SymInt SymInt::symbol(std::string name) {
  Factor factor;
  factor.symbol = std::move(name);
  return Polynomial::from_atom(std::move(factor));
}

bool SymInt::is_constant() const { return polynomial_ == nullptr; }

std::optional<int64_t> SymInt::constant() const {
  if (!is_constant()) return std::nullopt;
  return constant_;
}

bool SymInt::overflowed() const { return polynomial_ != nullptr && polynomial_->overflow; }

bool SymInt::is_symbol() const {
  if (polynomial_ == nullptr || polynomial_->monomials.size() != 1) return false;
  const auto& monomial = polynomial_->monomials[0];
  return monomial.coefficient == 1 && monomial.factors.size() == 1 &&
         monomial.factors[0]->is_symbol();
}

const std::string& SymInt::symbol_name() const {
  return polynomial_->monomials[0].factors[0]->symbol;
}

SymInt SymInt::operator+(const SymInt& other) const {
  if (is_constant() && other.is_constant()) {
    auto sum = checked_add_signed(constant_, other.constant_);
    return sum ? SymInt(*sum) : Polynomial::overflowed();
  }
  if (overflowed() || other.overflowed()) return Polynomial::overflowed();
  auto monomials = Polynomial::monomials_of(*this);
  auto more = Polynomial::monomials_of(other);
  monomials.insert(monomials.end(), more.begin(), more.end());
  return Polynomial::from_unsorted(std::move(monomials));
}

SymInt SymInt::operator-() const { return *this * SymInt(-1); }

SymInt SymInt::operator-(const SymInt& other) const { return *this + -other; }

SymInt SymInt::operator*(const SymInt& other) const {
  if (is_constant() && other.is_constant()) {
    auto product = checked_mul_signed(constant_, other.constant_);
    return product ? SymInt(*product) : Polynomial::overflowed();
  }
  if (overflowed() || other.overflowed()) return Polynomial::overflowed();
  auto left = Polynomial::monomials_of(*this);
  auto right = Polynomial::monomials_of(other);
  if (left.size() * right.size() > kMaxTerms * 4) return Polynomial::overflowed();
  Polynomial::Monomials products;
  products.reserve(left.size() * right.size());
  for (const auto& a : left) {
    for (const auto& b : right) {
      auto coefficient = checked_mul_signed(a.coefficient, b.coefficient);
      if (!coefficient) return Polynomial::overflowed();
      products.push_back({*coefficient, Polynomial::multiply(a.factors, b.factors)});
    }
  }
  return Polynomial::from_unsorted(std::move(products));
}

SymInt SymInt::Polynomial::floordiv_by_constant(const SymInt& a, int64_t divisor) {
  auto [quotient, rest] = split(a, {divisor, {}});
  // Whole multiples of the divisor leave the constant.
  int64_t constant = constant_term(rest);
  quotient = quotient + floor_quotient(constant, divisor);
  SymInt variable = rest - constant;
  constant = floor_remainder(constant, divisor);
  if (variable == SymInt(0) || variable.overflowed()) return quotient + variable;

  if (int64_t common = content(variable, divisor); common > 1) {
    // floor((g*x + k) / (g*c)) == floor((x + floor(k / g)) / c)
    variable = split(variable, {common, {}}).first;
    constant = floor_quotient(constant, common);
    divisor /= common;
    if (divisor == 1) return quotient + variable + constant;
  }
  if (const Factor* inner = as_call(variable, Function::kFloorDiv)) {
    // floor((floor(x / c) + k) / d) == floor((x + k*c) / (c*d)) for positive c and d.
    auto inner_divisor = inner->arguments[1].constant();
    if (inner_divisor && *inner_divisor > 0) {
      auto product = checked_mul_signed(*inner_divisor, divisor);
      if (!product) return overflowed();
      return quotient + floordiv(inner->arguments[0] + SymInt(constant) * *inner_divisor, *product);
    }
  }
  if (variable.polynomial_->monomials.front().coefficient < 0) {
    // floor(-x / d) == -floor((x + d - 1) / d): of the two, the one with a positive leading term.
    return quotient - floordiv(SymInt(divisor - 1 - constant) - variable, divisor);
  }
  return quotient + call(Function::kFloorDiv, variable + constant, divisor);
}

SymInt SymInt::Polynomial::floordiv_by_term(const SymInt& a, const Monomial& divisor) {
  auto [quotient, rest] = split(a, divisor);
  if (rest == SymInt(0)) return quotient;
  // What all terms and the divisor share cancels.
  Monomial common = divisor;
  common.coefficient = common_divisor(divisor.coefficient, constant_term(rest));
  common.coefficient = content(rest, common.coefficient);
  for (const Monomial& monomial : monomials_of(rest)) {
    std::vector<Atom> shared;
    std::set_intersection(common.factors.begin(), common.factors.end(), monomial.factors.begin(),
                          monomial.factors.end(), std::back_inserter(shared),
                          [](const Atom& x, const Atom& y) { return std::is_lt(compare(x, y)); });
    common.factors = std::move(shared);
  }
  if (common.coefficient != 1 || !common.factors.empty()) {
    Monomial reduced = *divide(divisor, common);
    rest = split(rest, common).first;
    return quotient + floordiv(rest, from_sorted({std::move(reduced)}));
  }
  return quotient + call(Function::kFloorDiv, rest, from_sorted({divisor}));
}

SymInt SymInt::floordiv(const SymInt& a, const SymInt& b) {
  if (a.overflowed() || b.overflowed()) return Polynomial::overflowed();
  if (b == SymInt(0)) return Polynomial::call(Function::kFloorDiv, a, b);
  if (auto divisor = b.constant()) {
    if (*divisor < 0) return *divisor == INT64_MIN ? Polynomial::overflowed() : floordiv(-a, -b);
    if (a.is_constant()) return floor_quotient(a.constant_, *divisor);
    return Polynomial::floordiv_by_constant(a, *divisor);
  }
  if (auto quotient = Polynomial::divide_exactly(a, b)) return *quotient;
  const auto& divisor = b.polynomial_->monomials;
  if (divisor.size() == 1) return Polynomial::floordiv_by_term(a, divisor[0]);
  return Polynomial::call(Function::kFloorDiv, a, b);
}

SymInt SymInt::Polynomial::mod_by_constant(const SymInt& a, int64_t divisor) {
  Monomials rest;
  int64_t common = divisor;
  for (Monomial& monomial : monomials_of(a)) {
    monomial.coefficient = floor_remainder(monomial.coefficient, divisor);
    if (monomial.coefficient == 0) continue;
    common = std::gcd(common, monomial.coefficient);
    rest.push_back(std::move(monomial));
  }
  SymInt remainder = from_sorted(std::move(rest));
  if (remainder.is_constant()) return remainder;
  if (common == 1) return call(Function::kMod, remainder, divisor);
  return SymInt(common) * mod(split(remainder, {common, {}}).first, divisor / common);
}

SymInt SymInt::mod(const SymInt& a, const SymInt& b) {
  if (a.overflowed() || b.overflowed()) return Polynomial::overflowed();
  if (b == SymInt(0)) return Polynomial::call(Function::kMod, a, b);
  if (auto divisor = b.constant()) {
    if (*divisor < 0) return *divisor == INT64_MIN ? Polynomial::overflowed() : -mod(-a, -b);
    return Polynomial::mod_by_constant(a, *divisor);
  }
  if (Polynomial::divide_exactly(a, b)) return 0;
  const auto& divisor = b.polynomial_->monomials;
  if (divisor.size() > 1) return Polynomial::call(Function::kMod, a, b);
  return Polynomial::call(Function::kMod, Polynomial::split(a, divisor[0]).second, b);
}

// A chain max(a, max(b, c)) of sorted arguments, without those that another one exceeds by a
// constant.
SymInt SymInt::Polynomial::extremum(Function function, const SymInt& a, const SymInt& b) {
  if (a.overflowed() || b.overflowed()) return overflowed();
  std::vector<SymInt> arguments;
  auto add = [&](const SymInt& value) {
    for (SymInt& kept : arguments) {
      auto difference = (value - kept).constant();
      if (!difference) continue;
      if ((*difference > 0) == (function == Function::kMax)) kept = value;
      return;
    }
    arguments.push_back(value);
  };
  for (SymInt rest : {a, b}) {
    const Factor* inner = as_call(rest, function);
    while (inner != nullptr && arguments.size() <= kMaxExtremumArguments) {
      add(inner->arguments[0]);
      rest = SymInt(inner->arguments[1]);
      inner = as_call(rest, function);
    }
    add(rest);
  }
  if (arguments.size() > kMaxExtremumArguments) return overflowed();
  std::sort(arguments.begin(), arguments.end());
  SymInt result = arguments.back();
  for (size_t i = arguments.size() - 1; i-- > 0;) result = call(function, arguments[i], result);
  return result;
}

SymInt SymInt::min(const SymInt& a, const SymInt& b) {
  return Polynomial::extremum(Function::kMin, a, b);
}

SymInt SymInt::max(const SymInt& a, const SymInt& b) {
  return Polynomial::extremum(Function::kMax, a, b);
}

SymInt SymInt::pow(const SymInt& base, const SymInt& exponent) {
  if (base.overflowed() || exponent.overflowed()) return Polynomial::overflowed();
  if (base == SymInt(1)) return 1;
  auto power = exponent.constant();
  if (!power) return Polynomial::call(Function::kPow, base, exponent);
  if (base == SymInt(-1)) return *power % 2 == 0 ? 1 : -1;
  if (base == SymInt(0) && *power > 0) return 0;
  if (*power < 0 || *power > static_cast<int64_t>(kMaxDegree)) return Polynomial::overflowed();
  SymInt result = 1;
  for (int64_t i = 0; i < *power; ++i) result = result * base;
  return result;
}

SymInt SymInt::scale(const SymInt& a, double factor) {
  if (a.overflowed()) return Polynomial::overflowed();
  if (const auto known = a.constant()) {
    const auto product = checked_scale(*known, factor);
    return product ? SymInt(*product) : Polynomial::overflowed();
  }
  return Polynomial::call(Function::kScale, a, std::bit_cast<int64_t>(factor));
}

bool SymInt::operator==(const SymInt& other) const { return std::is_eq(*this <=> other); }

std::strong_ordering SymInt::operator<=>(const SymInt& other) const {
  if (is_constant() && other.is_constant()) return constant_ <=> other.constant_;
  if (polynomial_ == other.polynomial_) return std::strong_ordering::equal;
  if (is_constant() != other.is_constant()) {
    return is_constant() ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  if (overflowed() != other.overflowed()) return overflowed() <=> other.overflowed();
  const auto& a = polynomial_->monomials;
  const auto& b = other.polynomial_->monomials;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (auto order = Polynomial::compare(a[i].factors, b[i].factors); std::is_neq(order))
      return order;
    if (a[i].coefficient != b[i].coefficient) return a[i].coefficient <=> b[i].coefficient;
  }
  return a.size() <=> b.size();
}

std::vector<SymInt::Term> SymInt::terms() const {
  std::vector<Term> result;
  for (const auto& monomial : Polynomial::monomials_of(*this)) {
    Term term;
    term.coefficient = monomial.coefficient;
    for (const auto& atom : monomial.factors) term.factors.push_back(*atom);
    result.push_back(std::move(term));
  }
  return result;
}

std::optional<SymInt::Linear> SymInt::linear() const {
  Linear result;
  for (const Term& term : terms()) {
    if (term.factors.empty()) {
      result.offset = term.coefficient;
    } else if (term.factors.size() == 1 && term.factors[0].is_symbol() && result.symbol.empty()) {
      result.symbol = term.factors[0].symbol;
      result.coefficient = term.coefficient;
    } else {
      return std::nullopt;
    }
  }
  return result.symbol.empty() ? std::nullopt : std::optional(std::move(result));
}

bool may_equal(const SymInt& a, const SymInt& b) {
  auto difference = (a - b).constant();
  return !difference || *difference == 0;
}

SymInt numel(std::span<const SymInt> sizes) {
  SymInt result = 1;
  for (const SymInt& size : sizes) result = result * size;
  return result;
}

std::vector<SymInt> contiguous_strides(std::span<const SymInt> sizes) {
  std::vector<SymInt> result(sizes.size(), SymInt(1));
  for (size_t i = sizes.size(); i-- > 1;) {
    result[i - 1] = sizes[i] == SymInt(0) ? result[i] : result[i] * sizes[i];
  }
  return result;
}

}  // namespace slipway::ir
