// Symbolic sizes as nodes of the graph: Shape and Gather where a tensor has them, then arithmetic.
#include <algorithm>

#include <fmt/core.h>

#include "onnx/context.h"

namespace slipway::onnx {

using ir::SymInt;

void Context::define_symbols(const Ref& ref, const Sizes& sizes, bool solve) {
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    const auto linear = sizes[axis].linear();
    if (!linear && !sizes[axis].is_constant()) {
      scaled_sizes_.try_emplace(sizes[axis], SymbolSource{ref, static_cast<int64_t>(axis)});
    }
    if (!linear || (!solve && !linear->is_bare())) continue;
    const SymbolSource source{ref, static_cast<int64_t>(axis), linear->coefficient, linear->offset};
    const auto [it, is_new] = symbols_.try_emplace(linear->symbol, source);
    // A bare dimension is better than a solved one.
    const bool is_solved = it->second.coefficient != 1 || it->second.offset != 0;
    if (!is_new && linear->is_bare() && is_solved) it->second = source;
  }
}

Ref Context::dimension(const Ref& ref, size_t axis) {
  Ref& shape = shapes_[ref.name];
  if (!shape.present()) {
    shape = op("Shape", {ref}, {}, DType::kInt64);
    pinned_.insert(shape.name);
  }
  return gather(shape, ints({static_cast<int64_t>(axis)}), 0);
}

Ref Context::symbol(const std::string& name) {
  auto it = symbols_.find(name);
  if (it == symbols_.end()) {
    ValueType input{fresh(name), DType::kInt64, {1}};
    graph_.symbol_inputs.push_back(name);
    graph_.inputs.push_back(input);
    pinned_.insert(input.name);
    it = symbols_.emplace(name, SymbolSource{{input.name, DType::kInt64}}).first;
  }
  const SymbolSource source = it->second;
  if (source.axis < 0) return source.tensor;
  Ref result = dimension(source.tensor, static_cast<size_t>(source.axis));
  if (source.offset != 0) result = sub(result, ints({source.offset}));
  if (source.coefficient != 1) result = div(result, ints({source.coefficient}));
  return result;
}

// PyTorch's product, in float64. Engines that have none take no node that needs it.
Ref Context::scale(const SymInt& a, double factor) {
  const auto source = scaled_sizes_.find(SymInt::scale(a, factor));
  if (source != scaled_sizes_.end()) {
    return dimension(source->second.tensor, static_cast<size_t>(source->second.axis));
  }
  const Ref whole = convert(length(a), DType::kFloat64);
  return convert(mul(whole, scalar(factor, DType::kFloat64)), DType::kInt64);
}

Ref Context::call(const SymInt::Factor& factor) {
  const SymInt& a = factor.arguments.at(0);
  const SymInt& b = factor.arguments.at(1);
  switch (factor.function) {
    case SymInt::Function::kFloorDiv: {
      const Ref x = length(a);
      const Ref y = length(b);
      const auto low_a = a.bounds(ranges()).min;
      const auto low_b = b.bounds(ranges()).min;
      if (low_a && *low_a >= 0 && low_b && *low_b >= 0) return div(x, y);
      // (a - a mod b) / b, where mod has the sign of b.
      return div(sub(x, op("Mod", {x, y})), y);
    }
    case SymInt::Function::kMod:
      return op("Mod", {length(a), length(b)});
    case SymInt::Function::kMin:
      return op("Min", {length(a), length(b)});
    case SymInt::Function::kMax:
      return op("Max", {length(a), length(b)});
    case SymInt::Function::kPow:
      return op("Pow", {length(a), length(b)});
    case SymInt::Function::kScale:
      return scale(a, factor.scale());
  }
  return {};
}

Ref Context::length(const SymInt& value) {
  if (auto known = value.constant()) return ints({*known});
  if (auto it = lengths_.find(value); it != lengths_.end()) return it->second;
  Ref sum;
  for (const SymInt::Term& term : value.terms()) {
    Ref product;
    for (const SymInt::Factor& factor : term.factors) {
      Ref next = factor.is_symbol() ? (value.is_symbol() ? symbol(factor.symbol)
                                                         : length(SymInt::symbol(factor.symbol)))
                                    : call(factor);
      product = product.present() ? mul(product, next) : next;
    }
    if (!product.present()) {
      product = ints({term.coefficient});
    } else if (term.coefficient != 1) {
      product = mul(product, ints({term.coefficient}));
    }
    sum = sum.present() ? add(sum, product) : product;
  }
  pinned_.insert(sum.name);
  lengths_[value] = sum;
  return sum;
}

Ref Context::scalar_length(const SymInt& value) {
  if (auto known = value.constant()) return scalar(*known, DType::kInt64);
  return op("Reshape", {length(value), ints({})});
}

Ref Context::shape(const Sizes& sizes) {
  Refs parts;
  std::vector<int64_t> known;
  const auto flush = [&] {
    if (!known.empty()) parts.push_back(ints(known));
    known.clear();
  };
  for (const SymInt& size : sizes) {
    if (auto constant = size.constant()) {
      known.push_back(*constant);
    } else {
      flush();
      parts.push_back(length(size));
    }
  }
  flush();
  return parts.empty() ? ints({}) : concat(parts, 0);
}

}  // namespace slipway::onnx
