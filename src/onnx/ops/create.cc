#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <iterator>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "ir/promotion.h"
#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

using ir::SymInt;

// Sequences up to this long are constants.
constexpr int64_t kMaxConstant = 1 << 20;

void filled(Context& c, const Ref& value) {
  c.result(c.expand(c.cast(value, c.dtype()), {}, c.sizes()));
}

void zeros(Context& c) { filled(c, c.scalar(int64_t{0}, c.dtype())); }
void ones(Context& c) { filled(c, c.scalar(int64_t{1}, c.dtype())); }

// full(size, value), full_like(x, value), fill(x, value), and new_full(x, size, value)
void full(Context& c) { filled(c, c.operand(base_name(c) == "new_full" ? 2 : 1, c.dtype())); }

void scalar_tensor(Context& c) { c.result(c.operand(0, c.dtype())); }

// Integers of 64 bits stay as they are.
double wrapped(double value, DType dtype) {
  if (!is_integral(dtype) || dtype == DType::kInt64) return value;
  return static_cast<double>(ir::wrapped(static_cast<int64_t>(value), dtype));
}

template <class F>
Ref sequence(Context& c, std::vector<int64_t> sizes, DType dtype, F value) {
  std::vector<std::byte> bytes;
  const int64_t count = std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies());
  for (int64_t i = 0; i < count; ++i) {
    const auto item = encode(value(i), dtype);
    bytes.insert(bytes.end(), item.begin(), item.end());
  }
  return c.constant(dtype, std::move(sizes), std::move(bytes));
}

// arange(end), arange.start(start, end), arange.start_step(start, end, step)
void arange(Context& c) {
  const bool has_start = overload_name(c) != "default";
  const bool has_step = overload_name(c) == "start_step";
  const DType dtype = c.dtype();
  const SymInt& count = c.sizes().at(0);
  const auto known = count.constant();
  const auto start = has_start ? c.number(0) : 0.0;
  const auto step = has_step ? c.number(2) : 1.0;
  if (start && step && known && *known <= kMaxConstant) {
    return c.result(sequence(c, {*known}, dtype, [&](int64_t i) {
      return wrapped(*start + *step * static_cast<double>(i), dtype);
    }));
  }
  const auto is_whole = [](const std::optional<double>& number) {
    return number && *number == std::floor(*number);
  };
  const bool in_integers = !is_floating_point(dtype) || (is_whole(start) && is_whole(step));
  const DType compute = in_integers ? DType::kInt64 : DType::kFloat64;
  Ref y = c.cast(c.range(count), compute);
  if (step != 1.0) y = c.mul(y, c.operand(2, compute));
  if (start != 0.0) y = c.add(y, c.operand(0, compute));
  c.result(y);
}

// linspace(start, end, steps): from both ends, as PyTorch does.
void linspace(Context& c) {
  const double start = c.real(0);
  const double end = c.real(1);
  const int64_t steps = c.constant(2);
  if (steps < 0 || steps > kMaxConstant) return c.fail("it has too many steps");
  const double step = steps > 1 ? (end - start) / static_cast<double>(steps - 1) : 0;
  c.result(sequence(c, {steps}, c.dtype(), [&](int64_t i) {
    return i < steps / 2 || steps == 1 ? start + step * static_cast<double>(i)
                                       : end - step * static_cast<double>(steps - 1 - i);
  }));
}

// eye(n), eye.m(n, m)
void eye(Context& c) {
  const Ref row = c.unsqueeze(c.range(c.sizes().at(0)), {1});
  const Ref column = c.unsqueeze(c.range(c.sizes().at(1)), {0});
  c.result(c.compare("Equal", row, column));
}

// tril_indices(row, col, offset) and triu_indices: the elements' rows, and their columns.
void triangle_indices(Context& c) {
  const int64_t rows = c.constant(0);
  const int64_t columns = c.constant(1);
  if (rows < 0 || columns < 0) return c.fail("its matrix has a negative size");
  const int64_t count = c.known(c.sizes().at(1), "the number of its elements");
  if (std::max({rows, columns, count}) > kMaxConstant) return c.fail("it has too many elements");
  const int64_t offset = std::clamp(c.constant(2), -rows, columns);
  const bool upper = base_name(c) == "triu_indices";
  std::vector<int64_t> row_of;
  std::vector<int64_t> column_of;
  for (int64_t row = 0; row < rows && std::ssize(row_of) <= count; ++row) {
    const int64_t first = upper ? std::max<int64_t>(row + offset, 0) : 0;
    const int64_t end = upper ? columns : std::min(row + offset + 1, columns);
    for (int64_t column = first; column < end; ++column) {
      row_of.push_back(row);
      column_of.push_back(column);
    }
  }
  if (std::ssize(row_of) != count) return c.fail("its arguments give another number of elements");
  const auto element = [&](int64_t i) { return i < count ? row_of[i] : column_of[i - count]; };
  c.result(sequence(c, {2, count}, c.dtype(), element));
}

constexpr Entry kCreateRules[] = {
    {"aten.zeros aten.zeros_like aten.new_zeros aten.empty.memory_format aten.empty_like "
     "aten.new_empty aten.empty_strided aten.new_empty_strided aten.empty_permuted aten.zero",
     zeros},
    {"aten.ones aten.ones_like aten.new_ones", ones},
    {"aten.full aten.full_like aten.new_full aten.fill.Scalar aten.fill.Tensor", full},
    {"aten.scalar_tensor", scalar_tensor},
    {"aten.arange aten.arange.start aten.arange.start_step", arange},
    {"aten.linspace", linspace, "steps that are known only at run time"},
    {"aten.eye aten.eye.m", eye},
    {"aten.tril_indices aten.triu_indices", triangle_indices, "more than 1,048,576 of them"},
};

}  // namespace

std::span<const Entry> create_rules() { return kCreateRules; }

}  // namespace slipway::onnx
