#include "openvino/builder/output_sizes.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>

#include <fmt/core.h>

namespace slipway::openvino {

namespace {

using ir::SymInt;

// No text of this length is nested deeper than the delegate follows.
constexpr size_t kLongestSize = 128;

// Where each symbol and each scaled size is: "i0.1" or "v2".
using Sources = std::map<SymInt, std::string>;

bool is_scale(const SymInt& size) {
  const auto terms = size.terms();
  return terms.size() == 1 && terms[0].coefficient == 1 && terms[0].factors.size() == 1 &&
         terms[0].factors[0].is_scale();
}

Sources sources_of(const onnx::Graph& graph) {
  Sources sources;
  const size_t tensors = graph.inputs.size() - graph.symbol_inputs.size();
  for (size_t i = 0; i < tensors; ++i) {
    const auto& sizes = graph.inputs[i].sizes;
    for (size_t axis = 0; axis < sizes.size(); ++axis) {
      if (!sizes[axis].is_symbol() && !is_scale(sizes[axis])) continue;
      sources.emplace(sizes[axis], fmt::format("i{}.{}", i, axis));
    }
  }
  for (size_t i = 0; i < graph.symbol_inputs.size(); ++i) {
    sources.emplace(SymInt::symbol(graph.symbol_inputs[i]), fmt::format("v{}", tensors + i));
  }
  return sources;
}

char operator_of(SymInt::Function function) {
  switch (function) {
    case SymInt::Function::kFloorDiv:
      return '/';
    case SymInt::Function::kMod:
      return '%';
    case SymInt::Function::kMin:
      return '<';
    case SymInt::Function::kMax:
      return '>';
    case SymInt::Function::kPow:
    case SymInt::Function::kScale:
      break;
  }
  return '^';
}

std::optional<std::string> postfix(const SymInt& size, const Sources& sources) {
  if (const auto known = size.constant()) return std::to_string(*known);
  std::string sum;
  for (const SymInt::Term& term : size.terms()) {
    std::string product = std::to_string(term.coefficient);
    for (const SymInt::Factor& factor : term.factors) {
      if (factor.is_symbol() || factor.is_scale()) {
        const auto source = sources.find(
            factor.is_symbol() ? SymInt::symbol(factor.symbol)
                               : SymInt::scale(factor.arguments.at(0), factor.scale()));
        if (source == sources.end()) return std::nullopt;
        product += fmt::format(" {} *", source->second);
        continue;
      }
      const auto a = postfix(factor.arguments.at(0), sources);
      const auto b = postfix(factor.arguments.at(1), sources);
      if (!a || !b) return std::nullopt;
      product += fmt::format(" {} {} {} *", *a, *b, operator_of(factor.function));
    }
    sum += sum.empty() ? product : fmt::format(" {} +", product);
  }
  return sum;
}

}  // namespace

std::string output_sizes(const onnx::Graph& graph) {
  const Sources sources = sources_of(graph);
  std::string text;
  bool some_may_be_empty = false;
  for (const onnx::ValueType& output : graph.outputs) {
    const bool may_be_empty = std::any_of(
        output.sizes.begin(), output.sizes.end(),
        [&](const SymInt& size) { return size.bounds(graph.ranges).min.value_or(0) <= 0; });
    some_may_be_empty = some_may_be_empty || may_be_empty;
    for (const SymInt& size : output.sizes) {
      const auto written = postfix(size, sources);
      if (!written || written->size() > kLongestSize) return "";
      text += *written + ",";
    }
    text += ';';
  }
  return some_may_be_empty ? text : "";
}

}  // namespace slipway::openvino
