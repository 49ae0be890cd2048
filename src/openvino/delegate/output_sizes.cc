#include "openvino/delegate/output_sizes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>
#include <utility>

namespace slipway::openvino {
namespace {

// The most numbers that wait for an operator.
constexpr size_t kDeepest = 64;

// What is before the separator, which is taken away too.
std::string_view take_until(std::string_view& text, char separator) {
  const std::string_view taken = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(taken.size() + 1, text.size()));
  return taken;
}

template <class Number>
bool read(std::string_view text, Number& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

std::optional<int64_t> divide(int64_t a, int64_t b, bool wants_rest) {
  if (b == 0 || (a == INT64_MIN && b == -1)) return std::nullopt;
  const bool is_between = a % b != 0 && (a < 0) != (b < 0);
  if (wants_rest) return is_between ? a % b + b : a % b;
  return is_between ? a / b - 1 : a / b;
}

std::optional<int64_t> power(int64_t base, int64_t exponent) {
  if (exponent < 0 || exponent > 63) return std::nullopt;
  int64_t result = 1;
  for (; exponent > 0; --exponent) {
    if (__builtin_mul_overflow(result, base, &result)) return std::nullopt;
  }
  return result;
}

std::optional<int64_t> apply(char op, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (op) {
    case '+':
      if (__builtin_add_overflow(a, b, &result)) return std::nullopt;
      return result;
    case '*':
      if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
      return result;
    case '<':
      return std::min(a, b);
    case '>':
      return std::max(a, b);
    case '^':
      return power(a, b);
    default:
      return divide(a, b, op == '%');
  }
}

}  // namespace

std::optional<OutputSizes::Expression> OutputSizes::parse_expression(std::string_view text) {
  Expression expression;
  size_t depth = 0;
  while (!text.empty()) {
    std::string_view word = take_until(text, ' ');
    if (word.size() == 1 && std::string_view("+*/%<>^").find(word[0]) != std::string_view::npos) {
      if (depth < 2) return std::nullopt;
      --depth;
      expression.push_back({word[0]});
      continue;
    }
    Step step{'n'};
    bool is_read = false;
    if (word.starts_with('i')) {
      step.op = 'i';
      word.remove_prefix(1);
      const std::string_view input = take_until(word, '.');
      is_read = read(input, step.number) && read(word, step.axis);
    } else if (word.starts_with('v')) {
      step.op = 'v';
      is_read = read(word.substr(1), step.number);
    } else {
      is_read = read(word, step.number);
    }
    if (!is_read || (step.op != 'n' && step.number < 0) || ++depth > kDeepest) return std::nullopt;
    expression.push_back(step);
  }
  if (depth != 1) return std::nullopt;
  return expression;
}

std::optional<OutputSizes> OutputSizes::parse(std::string_view text) {
  OutputSizes sizes;
  while (!text.empty()) {
    std::string_view output = take_until(text, ';');
    std::vector<Expression>& expressions = sizes.outputs_.emplace_back();
    while (!output.empty()) {
      auto expression = parse_expression(take_until(output, ','));
      if (!expression) return std::nullopt;
      expressions.push_back(*std::move(expression));
    }
  }
  return sizes;
}

std::optional<int64_t> OutputSizes::evaluate(const Expression& expression, const Lookup& lookup) {
  std::array<int64_t, kDeepest> stack;
  size_t depth = 0;
  for (const Step& step : expression) {
    std::optional<int64_t> value = step.number;
    if (step.op == 'i') {
      value = lookup(static_cast<size_t>(step.number), step.axis);
    } else if (step.op == 'v') {
      value = lookup(static_cast<size_t>(step.number), std::nullopt);
    } else if (step.op != 'n') {
      const int64_t b = stack[--depth];
      const int64_t a = stack[--depth];
      value = apply(step.op, a, b);
    }
    if (!value) return std::nullopt;
    stack[depth++] = *value;
  }
  return stack[0];
}

std::vector<OutputSizes::Sizes> OutputSizes::without_elements(const Lookup& lookup) const {
  std::vector<Sizes> found(outputs_.size());
  for (size_t i = 0; i < outputs_.size(); ++i) {
    std::vector<int64_t> sizes;
    bool is_known = true;
    bool is_empty = false;
    for (const Expression& expression : outputs_[i]) {
      const auto size = evaluate(expression, lookup);
      is_known = is_known && size && *size >= 0;
      is_empty = is_empty || size == 0;
      sizes.push_back(size.value_or(0));
    }
    if (is_known && is_empty) found[i] = std::move(sizes);
  }
  return found;
}

}  // namespace slipway::openvino
