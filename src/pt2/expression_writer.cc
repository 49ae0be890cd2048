#include "pt2/expression_writer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/core.h>

namespace slipway::pt2 {

const char* sympy_function(ir::SymInt::Function function) {
  switch (function) {
    case ir::SymInt::Function::kFloorDiv:
      return "FloorDiv";
    case ir::SymInt::Function::kMod:
      return "PythonMod";
    case ir::SymInt::Function::kMin:
      return "Min";
    case ir::SymInt::Function::kMax:
      return "Max";
    case ir::SymInt::Function::kPow:
    case ir::SymInt::Function::kScale:
      break;
  }
  return "PowByNatural";
}

std::string sympy_symbol(const std::string& name) {
  return fmt::format("Symbol('{}', {}integer=True)", name,
                     name.starts_with('u') ? "" : "positive=True, ");
}

std::string sympy_float(double number) {
  return fmt::format("Float('{:.17g}', precision=53)", number);
}

void ExpressionWriter::learn(JsonValue graph) {
  for (auto [name, meta] : graph["tensor_values"].members()) {
    for (const char* key : {"sizes", "strides"}) {
      for (JsonValue item : meta[key].items()) learn_sym_int(item);
    }
  }
  for (auto [name, value] : graph["sym_int_values"].members()) learn_sym_int(value);
  for (JsonValue node : graph["nodes"].items()) {
    for (JsonValue input : node["inputs"].items()) {
      const auto [tag, value] = input["arg"].to_union();
      if (tag == "as_graph") learn(value["graph"]);
    }
  }
}

void ExpressionWriter::learn_sym_int(JsonValue sym_int) {
  const auto [tag, value] = sym_int.to_union();
  if (tag != "as_expr") return;
  const std::string_view text = value["expr_str"].to_string_view();
  if (!seen_.insert(text).second) return;
  const auto expression = ir::SymInt::parse_srepr(std::string(text));
  if (!expression.ok()) return;
  known_.try_emplace(*expression, sym_int);

  constexpr std::string_view kHead = "Symbol('";
  for (size_t at = text.find(kHead); at != std::string_view::npos; at = text.find(kHead, at + 1)) {
    const size_t name = at + kHead.size();
    const size_t quote = text.find('\'', name);
    const size_t end = text.find(')', quote);
    if (quote == std::string_view::npos || end == std::string_view::npos) break;
    symbols_.try_emplace(std::string(text.substr(name, quote - name)),
                         text.substr(at, end + 1 - at));
  }
}

ExpressionWriter::ExpressionWriter(std::map<std::string, int64_t> hints,
                                   const ir::SymbolRanges& ranges)
    : hints_(std::move(hints)) {
  for (auto& [symbol, hint] : hints_) {
    const auto range = ranges.find(symbol);
    if (range == ranges.end()) continue;
    int64_t fitting = hint;
    if (range->second.max) fitting = std::min(fitting, *range->second.max);
    if (range->second.min) fitting = std::max(fitting, *range->second.min);
    if (fitting != hint) moved_.insert(symbol);
    hint = fitting;
  }
}

bool ExpressionWriter::has_moved(std::span<const ir::SymInt> expressions) const {
  if (moved_.empty()) return false;
  return std::any_of(expressions.begin(), expressions.end(), [&](const ir::SymInt& expression) {
    const std::vector<std::string> symbols = expression.symbols();
    return std::any_of(symbols.begin(), symbols.end(),
                       [&](const std::string& symbol) { return moved_.contains(symbol); });
  });
}

void ExpressionWriter::write(const ir::SymInt& expression, JsonWriter& json) const {
  if (const auto number = expression.constant()) {
    json.begin_object().key("as_int").value(*number).end_object();
    return;
  }
  const auto known = known_.find(expression);
  std::string text;
  if (known == known_.end()) {
    append(expression, text);
  } else if (has_moved({&expression, 1})) {
    text = known->second["as_expr"]["expr_str"].to_string();
  } else {
    json.copy(known->second);
    return;
  }
  json.begin_object().key("as_expr").begin_object().key("expr_str").value(text).key("hint");
  if (const auto hint = expression.evaluate(hints_); hint.ok()) {
    json.begin_object().key("as_int").value(*hint).end_object();
  } else {
    json.null();
  }
  json.end_object().end_object();
}

// Sums and products of more than one, and powers of more than one, have heads of their own.
void ExpressionWriter::append(const ir::SymInt& expression, std::string& text) const {
  const auto terms = expression.terms();
  if (terms.empty()) text += "Integer(0)";
  if (terms.size() > 1) text += "Add(";
  for (size_t i = 0; i < terms.size(); ++i) {
    const ir::SymInt::Term& term = terms[i];
    if (i > 0) text += ", ";
    const bool has_coefficient = term.coefficient != 1 || term.factors.empty();
    const bool is_product = term.factors.size() + (has_coefficient ? 1 : 0) > 1;
    if (is_product) text += "Mul(";
    if (has_coefficient) text += fmt::format("Integer({})", term.coefficient);
    for (size_t f = 0; f < term.factors.size(); ++f) {
      if (f > 0 || has_coefficient) text += ", ";
      append(term.factors[f], text);
    }
    if (is_product) text += ')';
  }
  if (terms.size() > 1) text += ')';
}

void ExpressionWriter::append(const ir::SymInt::Factor& factor, std::string& text) const {
  if (factor.is_symbol()) {
    text += symbol(factor.symbol);
    return;
  }
  if (factor.is_scale()) {
    text += fmt::format("TruncToInt(Mul({}, ToFloat(", sympy_float(factor.scale()));
    append(factor.arguments.at(0), text);
    text += ")))";
    return;
  }
  text += sympy_function(factor.function);
  text += '(';
  append(factor.arguments.at(0), text);
  text += ", ";
  append(factor.arguments.at(1), text);
  text += ')';
}

std::string ExpressionWriter::symbol(const std::string& name) const {
  const auto known = symbols_.find(name);
  return known == symbols_.end() ? sympy_symbol(name) : known->second;
}

}  // namespace slipway::pt2
