#include "ir/symbol_values.h"

#include <utility>

#include "base/error.h"
#include "base/try.h"

namespace slipway::ir {

void SymbolValues::define_sizes(int32_t tensor, const std::vector<SymInt>& sizes) {
  for (size_t dim = 0; dim < sizes.size(); ++dim) {
    const auto linear = sizes[dim].linear();
    if (!linear) continue;
    const Source source{tensor, static_cast<int64_t>(dim), linear->coefficient, linear->offset};
    auto& sources = scopes_.back().sources;
    const auto known_source = sources.find(linear->symbol);
    if (known_source != sources.end() && linear->is_bare() &&
        (known_source->second.factor != 1 || known_source->second.offset != 0)) {
      known_source->second = source;  // Saves arithmetic.
    } else if (!this->source(linear->symbol)) {
      sources.emplace(linear->symbol, source);
    }
  }
}

void SymbolValues::define(const SymInt& expression, int32_t value) {
  if (!expression.is_constant()) scopes_.back().values.emplace(expression, value);
}

std::optional<int32_t> SymbolValues::known(const SymInt& expression) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    auto found = scope->values.find(expression);
    if (found != scope->values.end()) return found->second;
  }
  return std::nullopt;
}

const SymbolValues::Source* SymbolValues::source(const std::string& symbol) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    auto found = scope->sources.find(symbol);
    if (found != scope->sources.end()) return &found->second;
  }
  return nullptr;
}

bool SymbolValues::can_compute(const SymInt& expression) const {
  if (known(expression)) return true;
  for (const std::string& symbol : expression.symbols()) {
    if (!source(symbol) && !known(SymInt::symbol(symbol))) return false;
  }
  return true;
}

Result<int32_t> SymbolValues::value(const SymInt& expression) {
  if (auto number = expression.constant()) return constant(*number);
  if (auto value = known(expression)) return *value;
  SLIPWAY_ASSIGN_OR_RETURN(int32_t value, compute(expression));
  define(expression, value);
  return value;
}

Result<int32_t> SymbolValues::compute(const SymInt& expression) {
  if (expression.is_symbol()) {
    const Source* found = source(expression.symbol_name());
    if (!found) {
      return internal_error("nothing defines the symbol {} here", expression.symbol_name());
    }
    return compute_symbol(*found);
  }
  std::optional<int32_t> sum;
  int64_t offset = 0;
  for (const SymInt::Term& term : expression.terms()) {
    if (term.factors.empty()) {
      offset = term.coefficient;
      continue;
    }
    std::optional<int32_t> product;
    for (const SymInt::Factor& factor : term.factors) {
      SLIPWAY_ASSIGN_OR_RETURN(int32_t value, compute_factor(factor));
      product = product ? binary(Operation::kMul, *product, value) : value;
    }
    if (term.coefficient != 1) {
      product = binary(Operation::kMul, *product, constant(term.coefficient));
    }
    sum = sum ? binary(Operation::kAdd, *sum, *product) : *product;
  }
  if (!sum) return constant(offset);
  if (offset != 0) sum = binary(Operation::kAdd, *sum, constant(offset));
  return *sum;
}

Result<int32_t> SymbolValues::compute_factor(const SymInt::Factor& factor) {
  if (factor.is_symbol()) return value(SymInt::symbol(factor.symbol));
  const SymInt& a = factor.arguments.at(0);
  if (factor.is_scale()) {
    SLIPWAY_ASSIGN_OR_RETURN(const int32_t whole, value(a));
    return scale(whole, factor.scale());
  }
  const SymInt& b = factor.arguments.at(1);
  if (factor.function == SymInt::Function::kPow) {
    return unsupported("{} to the power of {}: a symbolic exponent can't be computed at run time",
                       a.to_string(), b.to_string());
  }
  SLIPWAY_ASSIGN_OR_RETURN(int32_t left, value(a));
  SLIPWAY_ASSIGN_OR_RETURN(int32_t right, value(b));
  switch (factor.function) {
    case SymInt::Function::kFloorDiv:
      return binary(Operation::kFloorDiv, left, right);
    case SymInt::Function::kMin:
      return binary(Operation::kMin, left, right);
    case SymInt::Function::kMax:
      return binary(Operation::kMax, left, right);
    case SymInt::Function::kMod: {
      const bool is_simple = has_pythons_remainder() || (is_non_negative(a) && is_non_negative(b));
      if (is_simple) return binary(Operation::kMod, left, right);
      int32_t quotient = binary(Operation::kFloorDiv, left, right);
      return binary(Operation::kSub, left, binary(Operation::kMul, quotient, right));
    }
    case SymInt::Function::kPow:
    case SymInt::Function::kScale:
      break;
  }
  return internal_error("unknown symbolic function");
}

int32_t SymbolValues::compute_symbol(const Source& source) {
  int32_t result = size(source.tensor, source.dim);
  if (source.offset != 0) result = binary(Operation::kSub, result, constant(source.offset));
  if (source.factor != 1) result = binary(Operation::kFloorDiv, result, constant(source.factor));
  return result;
}

bool SymbolValues::is_non_negative(const SymInt& expression) const {
  Range range = expression.bounds(ranges_);
  return range.min && *range.min >= 0;
}

}  // namespace slipway::ir
