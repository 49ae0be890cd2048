// Operators that mostly compute sizes: on integers that are known from sizes they leave no work to
// a kernel.
#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cuda/builder/rule.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

constexpr size_t kMostElements = 64;

using Integers = std::vector<SymInt>;

// Operands, of which single elements serve all.
std::optional<Integers> combine(Rule& r,
                                const std::function<SymInt(const SymInt&, const SymInt&)>& f) {
  std::optional<Integers> result;
  for (size_t i = 0; i < r.input_count(); ++i) {
    const Value& operand = r.input(i);
    if (!operand.ints || operand.dtype != DType::kInt64) return std::nullopt;
    if (!result) {
      result = operand.ints;
      continue;
    }
    const size_t count = std::max(result->size(), operand.ints->size());
    if (result->empty() || operand.ints->empty()) return std::nullopt;
    Integers next;
    for (size_t k = 0; k < count; ++k) {
      next.push_back(f(result->at(result->size() == 1 ? 0 : k),
                       operand.ints->at(operand.ints->size() == 1 ? 0 : k)));
    }
    result = std::move(next);
  }
  // Data wraps around where sizes do not.
  const auto overflows = [](const SymInt& value) { return value.overflowed(); };
  if (result && std::any_of(result->begin(), result->end(), overflows)) return std::nullopt;
  return result;
}

Sizes combined_sizes(Rule& r) {
  Sizes sizes;
  for (size_t i = 0; i < r.input_count(); ++i) sizes = broadcast(sizes, r.input(i).sizes);
  return sizes;
}

// A size times a factor, in float64.
void note_scale(Rule& r) {
  for (const size_t i : {0, 1}) {
    const Value& size = r.input(i);
    const auto factor = r.reals(1 - i);
    if (!size.scaled || size.scaled->second != 1 || !factor || factor->size() != 1) continue;
    r.output(0).scaled = {size.scaled->first, factor->front()};
  }
}

void arithmetic(Rule& r) {
  const std::string& op = r.node().op_type;
  const auto of = [&](const SymInt& a, const SymInt& b) -> SymInt {
    if (op == "Add") return a + b;
    if (op == "Sub") return a - b;
    if (op == "Mul") return a * b;
    if (op == "Mod") return SymInt::mod(a, b);
    if (op == "Min") return SymInt::min(a, b);
    if (op == "Max") return SymInt::max(a, b);
    return SymInt::pow(a, b);
  };
  bool is_size = op != "Div" && r.attribute("fmod", int64_t{0}) == 0;
  if (op == "Mod" || op == "Pow" || op == "Div") {
    // By 0 it is an error of the call, and to a negative power a fraction.
    const Value& divisor = r.input(1);
    for (const SymInt& number : divisor.ints.value_or(Integers())) {
      is_size = is_size && number.bounds(r.generator().graph().ranges).min.value_or(-1) > 0;
    }
  }
  std::optional<Integers> elements;
  if (op == "Div") {
    // To zero, which is downwards for positive numbers.
    const auto& ranges = r.generator().graph().ranges;
    const auto least = [&](const SymInt& value) { return value.bounds(ranges).min.value_or(-1); };
    elements = combine(r, [&](const SymInt& a, const SymInt& b) {
      if (least(a) >= 0) return SymInt::floordiv(a, b);
      return SymInt::floordiv(SymInt::max(a, 0), b) - SymInt::floordiv(SymInt::max(-a, 0), b);
    });
    for (const SymInt& number : r.input(1).ints.value_or(Integers())) {
      if (least(number) <= 0) elements.reset();
    }
  } else if (is_size) {
    elements = combine(r, of);
  }
  if (elements && elements->size() <= kMostElements) {
    r.define_integers(0, combined_sizes(r), *std::move(elements));
  } else {
    compute_pointwise(r);
    if (op == "Mul") note_scale(r);
  }
}

void shape(Rule& r) {
  const Sizes& sizes = r.input(0).sizes;
  r.define_integers(0, {static_cast<int64_t>(sizes.size())}, sizes);
}

void size(Rule& r) { r.define_integers(0, {}, {numel(r.input(0).sizes)}); }

constexpr Entry kSizeRules[] = {
    {"Add Sub Mul Div Mod Min Max Pow", arithmetic},
    {"Shape", shape},
    {"Size", size},
};

}  // namespace

std::span<const Entry> size_rules() { return kSizeRules; }

}  // namespace slipway::cuda
