#include "pte/emitter/symbols.h"

#include <utility>

#include "base/error.h"
#include "base/try.h"

namespace slipway::pte {

void Symbols::define_sizes(int32_t tensor, const std::vector<ir::SymInt>& sizes) {
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

void Symbols::define(const ir::SymInt& expression, int32_t value) {
  if (!expression.is_constant()) scopes_.back().values.emplace(expression, value);
}

std::optional<int32_t> Symbols::known(const ir::SymInt& expression) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    auto found = scope->values.find(expression);
    if (found != scope->values.end()) return found->second;
  }
  return std::nullopt;
}

const Symbols::Source* Symbols::source(const std::string& symbol) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    auto found = scope->sources.find(symbol);
    if (found != scope->sources.end()) return &found->second;
  }
  return nullptr;
}

bool Symbols::can_compute(const ir::SymInt& expression) const {
  if (known(expression)) return true;
  for (const std::string& symbol : expression.symbols()) {
    if (!source(symbol) && !known(ir::SymInt::symbol(symbol))) return false;
  }
  return true;
}

Result<int32_t> Symbols::value(const ir::SymInt& expression) {
  if (auto constant = expression.constant()) return plan_.integer(*constant);
  if (auto value = known(expression)) return *value;
  SLIPWAY_ASSIGN_OR_RETURN(int32_t value, compute(expression));
  define(expression, value);
  return value;
}

Result<int32_t> Symbols::compute(const ir::SymInt& expression) {
  if (expression.is_symbol()) {
    const Source* found = source(expression.symbol_name());
    if (!found) {
      return internal_error("nothing defines the symbol {} here", expression.symbol_name());
    }
    return compute_symbol(*found);
  }
  std::optional<int32_t> sum;
  int64_t constant = 0;
  for (const ir::SymInt::Term& term : expression.terms()) {
    if (term.factors.empty()) {
      constant = term.coefficient;
      continue;
    }
    std::optional<int32_t> product;
    for (const ir::SymInt::Factor& factor : term.factors) {
      SLIPWAY_ASSIGN_OR_RETURN(int32_t value, compute_factor(factor));
      product = product ? binary("mul", *product, value) : value;
    }
    if (term.coefficient != 1) {
      product = binary("mul", *product, plan_.integer(term.coefficient));
    }
    sum = sum ? binary("add", *sum, *product) : *product;
  }
  if (!sum) return plan_.integer(constant);
  if (constant != 0) sum = binary("add", *sum, plan_.integer(constant));
  return *sum;
}

Result<int32_t> Symbols::compute_factor(const ir::SymInt::Factor& factor) {
  if (factor.is_symbol()) return value(ir::SymInt::symbol(factor.symbol));
  const ir::SymInt& a = factor.arguments.at(0);
  if (factor.is_scale()) {
    SLIPWAY_ASSIGN_OR_RETURN(int32_t whole, value(a));
    const int32_t product = binary("mul", whole, plan_.real(factor.scale()));
    const int32_t result = plan_.add(int64_t{0});
    plan_.call("executorch_prim::trunc", "Scalar", {product, result});
    return result;
  }
  const ir::SymInt& b = factor.arguments.at(1);
  if (factor.function == ir::SymInt::Function::kPow) {
    return unsupported("{} to the power of {}: a symbolic exponent can't be computed at run time",
                       a.to_string(), b.to_string());
  }
  SLIPWAY_ASSIGN_OR_RETURN(int32_t left, value(a));
  SLIPWAY_ASSIGN_OR_RETURN(int32_t right, value(b));
  switch (factor.function) {
    case ir::SymInt::Function::kFloorDiv:
      return binary("floordiv", left, right);
    case ir::SymInt::Function::kMin:
      return binary("sym_min", left, right);
    case ir::SymInt::Function::kMax:
      return binary("sym_max", left, right);
    case ir::SymInt::Function::kMod: {
      // ExecuTorch's mod follows C where a sign is negative.
      if (is_non_negative(a) && is_non_negative(b)) return binary("mod", left, right);
      int32_t quotient = binary("floordiv", left, right);
      return binary("sub", left, binary("mul", quotient, right));
    }
    case ir::SymInt::Function::kPow:
    case ir::SymInt::Function::kScale:
      break;
  }
  return internal_error("unknown symbolic function");
}

int32_t Symbols::compute_symbol(const Source& source) {
  int32_t result = plan_.add(int64_t{0});
  plan_.call_on_sizes("aten::sym_size", "int", {source.tensor, plan_.integer(source.dim), result});
  if (source.offset != 0) result = binary("sub", result, plan_.integer(source.offset));
  if (source.factor != 1) result = binary("floordiv", result, plan_.integer(source.factor));
  return result;
}

int32_t Symbols::binary(const std::string& op, int32_t a, int32_t b) {
  int32_t result = plan_.add(int64_t{0});
  plan_.call("executorch_prim::" + op, "Scalar", {a, b, result});
  return result;
}

bool Symbols::is_non_negative(const ir::SymInt& expression) const {
  ir::Range range = expression.bounds(ranges_);
  return range.min && *range.min >= 0;
}

}  // namespace slipway::pte
