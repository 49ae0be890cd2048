#include "cuda/builder/number_table.h"

#include <algorithm>
#include <utility>

namespace slipway::cuda {

using ir::SymInt;
using table::NumberKind;

NumberTable::NumberTable(const onnx::Graph& graph) {
  const size_t tensors = graph.inputs.size() - graph.symbol_inputs.size();
  for (size_t i = tensors; i < graph.inputs.size(); ++i) {
    symbols_[graph.symbol_inputs[i - tensors]] =
        add(NumberKind::Element, static_cast<uint32_t>(i), 0);
  }
  // A bare dimension is better than one that has to be solved for its symbol.
  for (const bool bare : {true, false}) {
    for (size_t i = 0; i < tensors; ++i) {
      const std::vector<SymInt>& sizes = graph.inputs[i].sizes;
      for (size_t axis = 0; axis < sizes.size(); ++axis) {
        const auto linear = sizes[axis].linear();
        if (!linear && !sizes[axis].is_constant()) {
          expressions_.try_emplace(sizes[axis], add(NumberKind::Dimension, static_cast<uint32_t>(i),
                                                    static_cast<uint32_t>(axis)));
        }
        if (!linear || linear->is_bare() != bare || symbols_.contains(linear->symbol)) continue;
        uint32_t number =
            add(NumberKind::Dimension, static_cast<uint32_t>(i), static_cast<uint32_t>(axis));
        if (linear->offset != 0) number = add(NumberKind::Add, number, of(-linear->offset));
        if (linear->coefficient != 1) {
          number = add(NumberKind::FloorDivide, number, of(linear->coefficient));
        }
        symbols_[linear->symbol] = number;
      }
    }
  }
}

uint32_t NumberTable::add(NumberKind kind, uint32_t a, uint32_t b, int64_t value, double factor) {
  const auto [it, is_new] = known_.try_emplace({static_cast<int>(kind), a, b, value, factor},
                                               static_cast<uint32_t>(numbers_.size()));
  if (is_new) {
    table::NumberT number;
    number.kind = kind;
    number.a = a;
    number.b = b;
    number.value = value;
    number.factor = factor;
    numbers_.push_back(number);
  }
  return it->second;
}

uint32_t NumberTable::of(int64_t value) { return add(NumberKind::Constant, 0, 0, value); }

std::optional<uint32_t> NumberTable::of(const SymInt::Factor& factor) {
  if (factor.is_symbol()) {
    const auto found = symbols_.find(factor.symbol);
    return found == symbols_.end() ? std::nullopt : std::optional(found->second);
  }
  const auto a = of(factor.arguments.at(0));
  if (!a) return std::nullopt;
  if (factor.is_scale()) return add(NumberKind::Scale, *a, 0, 0, factor.scale());
  const auto b = of(factor.arguments.at(1));
  if (!b) return std::nullopt;
  switch (factor.function) {
    case SymInt::Function::kFloorDiv:
      return add(NumberKind::FloorDivide, *a, *b);
    case SymInt::Function::kMod:
      return add(NumberKind::Modulo, *a, *b);
    case SymInt::Function::kMin:
      return add(NumberKind::Minimum, *a, *b);
    case SymInt::Function::kMax:
      return add(NumberKind::Maximum, *a, *b);
    default:
      return add(NumberKind::Power, *a, *b);
  }
}

std::optional<uint32_t> NumberTable::of(const SymInt& value) {
  if (const auto known = value.constant()) return of(*known);
  if (const auto found = expressions_.find(value); found != expressions_.end()) {
    return found->second;
  }
  std::optional<uint32_t> sum;
  for (const SymInt::Term& term : value.terms()) {
    std::optional<uint32_t> product;
    if (term.coefficient != 1 || term.factors.empty()) product = of(term.coefficient);
    for (const SymInt::Factor& factor : term.factors) {
      const auto next = of(factor);
      if (!next) return std::nullopt;
      product = product ? add(NumberKind::Multiply, *product, *next) : *next;
    }
    sum = sum ? add(NumberKind::Add, *sum, *product) : *product;
  }
  if (sum) expressions_.emplace(value, *sum);
  return sum;
}

}  // namespace slipway::cuda
