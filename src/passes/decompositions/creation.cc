// Tensors out of numbers, and numbers out of tensors.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::Argument;
using ir::Scalar;
using ir::SymInt;
using ir::Value;

Values filled(Context& c, const Scalar& value) {
  return {c.build.full(c.sizes(), value, c.dtype())};
}

// The number may be one that only running gives.
Values filled_with(Context& c, size_t i) {
  if (c.is_tensor(i)) {
    return {c.build.expand(c.build.to_dtype(c.tensor(i), c.dtype()), c.sizes())};
  }
  return {
      c.build.call("aten.full.default", {c.sizes(), c.arg(i), c.dtype()}, c.dtype(), c.sizes())};
}

Values arange(Context& c) {
  const bool from_zero = c.op() == "aten.arange.default";
  const Argument start = from_zero ? Argument(SymInt(0)) : c.arg(0);
  const Argument end = from_zero ? c.arg(0) : c.arg(1);
  return {c.build.call("aten.arange.start_step", {start, end, SymInt(1), c.dtype()}, c.dtype(),
                       c.sizes())};
}

// Ones where row + offset = column.
Value* diagonal_mask(Context& c, const SymInt& rows, const SymInt& columns) {
  return c.build.eq(c.build.view(c.build.arange(rows), {rows, 1}), c.build.arange(columns));
}

Values eye(Context& c) {
  return {c.build.to_dtype(diagonal_mask(c, c.sizes().at(0), c.sizes().at(1)), c.dtype())};
}

// From both ends to the middle, as PyTorch does, so that both ends are exact.
Values linspace(Context& c) {
  const int64_t steps = c.known(c.sizes().at(0), "the number of steps");
  if (steps == 0) return filled(c, SymInt(0));
  const double start = c.real(0);
  const double end = c.real(1);
  // As the type converts it: an unsigned one wraps what is negative.
  if (steps == 1) {
    const bool is_whole = is_integral(c.dtype());
    return {c.build.to_dtype(
        is_whole ? c.build.full(c.sizes(), SymInt(static_cast<int64_t>(start)), DType::kInt64)
                 : c.build.full(c.sizes(), start, c.dtype()),
        c.dtype())};
  }
  const double step = (end - start) / static_cast<double>(steps - 1);
  const DType dtype = is_floating_point(c.dtype()) ? c.dtype() : DType::kFloat64;
  Value* i = c.build.arange(steps);
  Value* up = c.build.add(c.build.mul(c.build.to_dtype(i, dtype), step), start);
  Value* back = c.build.to_dtype(c.build.rsub(i, SymInt(steps - 1)), dtype);
  Value* down = c.build.rsub(c.build.mul(back, step), end);
  Value* line = c.build.where(c.build.lt(i, SymInt(steps / 2)), up, down);
  return {c.build.to_dtype(line, c.dtype())};
}

Values logspace(Context& c) {
  Value* exponent =
      c.build.call("aten.linspace.default", {c.arg(0), c.arg(1), c.arg(2)}, c.dtype(), c.sizes());
  return {c.build.pow(Scalar(c.has(3) ? c.real(3) : 10.0), exponent)};
}

// How many steps a window has from its first element to where it ends or begins again; or nothing
// for one that is all ones.
std::optional<double> window_steps(Context& c, bool periodic) {
  const int64_t length = c.known(c.sizes().at(0), "the window's length");
  if (length <= 1) return std::nullopt;
  return static_cast<double>(periodic ? length : length - 1);
}

// alpha - (1 - alpha) * cos(2 pi i / n)
Values cosine_window(Context& c, double alpha, bool periodic) {
  const auto steps = window_steps(c, periodic);
  if (!steps) return filled(c, 1.0);
  Value* i = c.build.to_dtype(c.build.arange(c.sizes().at(0)), c.dtype());
  Value* wave = c.build.cos(c.build.mul(i, 2 * std::numbers::pi / *steps));
  return {c.build.add(c.build.mul(wave, alpha - 1), alpha)};
}

Values hamming_window(Context& c) {
  const bool plain = c.op() == "aten.hamming_window.default";
  return cosine_window(c, c.op() == "aten.hamming_window.periodic_alpha" ? c.real(2) : 0.54,
                       plain || c.flag(1));
}

// 2 i / n, and what is left to 2 behind the middle.
Values bartlett_window(Context& c, bool periodic) {
  const auto steps = window_steps(c, periodic);
  if (!steps) return filled(c, 1.0);
  Value* rising =
      c.build.mul(c.build.to_dtype(c.build.arange(c.sizes().at(0)), c.dtype()), 2 / *steps);
  return {c.build.minimum(rising, c.build.rsub(rising, 2.0))};
}

// 0.42 - 0.5 cos(2 pi i / n) + 0.08 cos(4 pi i / n)
Values blackman_window(Context& c, bool periodic) {
  const auto steps = window_steps(c, periodic);
  if (!steps) return filled(c, 1.0);
  Value* angle = c.build.mul(c.build.to_dtype(c.build.arange(c.sizes().at(0)), c.dtype()),
                             2 * std::numbers::pi / *steps);
  Value* slow = c.build.mul(c.build.cos(angle), -0.5);
  Value* fast = c.build.mul(c.build.cos(c.build.mul(angle, 2.0)), 0.08);
  return {c.build.add(c.build.add(fast, slow), 0.42)};
}

Values one_hot(Context& c) {
  Value* x = c.tensor(0);
  Value* classes = c.build.arange(last(c.sizes()));
  return {c.build.to_dtype(c.build.eq(c.build.unsqueeze(x, x->rank()), classes), DType::kInt64)};
}

// What tril of one diagonal less keeps is removed.
Values triu(Context& c) {
  Value* x = c.tensor(0);
  const int64_t diagonal = std::max(c.has(1) ? c.constant(1) : 0, -INT64_MAX);
  const std::vector<SymInt> matrix(x->sizes().end() - std::min<int64_t>(2, x->rank()),
                                   x->sizes().end());
  Value* below = c.build.tril(c.build.ones(matrix, DType::kBool), diagonal - 1);
  return {c.build.masked_fill(x, below, 0)};
}

// The rows, and the columns, of a triangle's elements, which nonzero gives in the order that
// PyTorch has.
Values triangle_indices(Context& c) {
  const int64_t rows = c.constant(0);
  const int64_t columns = c.constant(1);
  if (rows < 0 || columns < 0) return c.unsupported("its matrix has a negative size");
  const bool upper = c.op() == "aten.triu_indices.default";
  // Diagonals outside of the matrix are alike.
  const int64_t diagonal = std::clamp(c.constant(2), -rows, columns);
  Value* kept =
      c.build.tril(c.build.ones({rows, columns}, DType::kBool), upper ? diagonal - 1 : diagonal);
  if (upper) kept = c.build.logical_not(kept);
  Value* places =
      c.build.call("aten.nonzero.default", {kept}, DType::kInt64, {c.sizes().at(1), SymInt(2)});
  return {c.build.to_dtype(c.build.permute(places, {1, 0}), c.dtype())};
}

Values copy(Context& c) {
  return {c.build.expand(c.build.to_dtype(c.tensor(1), c.dtype()), c.sizes())};
}

// The number in a tensor of one element.
Values item(Context& c) {
  ir::Node* node = c.build.node("aten._local_scalar_dense.default", {c.tensor(0)});
  const Value* like = c.output();
  return {c.build.graph().add_output(node, like->kind(), like->expression())};
}

// The kernels refuse a number past the range of the type, which is an infinity to PyTorch.
Values full(Context& c) {
  const size_t i = c.op() == "aten.full.default" ? 1 : 0;
  const auto* number = std::get_if<double>(&c.arg(i));
  if (!number || !is_floating_point(c.dtype()) || !std::isfinite(*number)) return {};
  const double rounded = rounded_to(*number, c.dtype());
  if (std::isfinite(rounded)) return {};
  std::vector<Argument> args = c.node().args();
  args.at(i) = rounded;
  return {c.build.call(c.op(), std::move(args), c.dtype(), c.sizes())};
}

constexpr Entry kCreationRules[] = {
    {"aten.full.default aten.scalar_tensor.default", full},
    {"aten.zeros.default aten.zeros_like.default aten.new_zeros.default aten.empty.memory_format "
     "aten.empty_like.default aten.new_empty.default aten.empty_strided.default "
     "aten.new_empty_strided.default aten.empty_permuted.default aten.zero.default",
     [](Context& c) { return filled(c, SymInt(0)); }},
    {"aten.ones.default aten.ones_like.default aten.new_ones.default",
     [](Context& c) { return filled(c, SymInt(1)); }},
    {"aten.full_like.default aten.fill.Scalar aten.fill.Tensor",
     [](Context& c) { return filled_with(c, 1); }},
    {"aten.new_full.default", [](Context& c) { return filled_with(c, 2); }},
    {"aten.arange.default aten.arange.start", arange},
    {"aten.eye.default aten.eye.m", eye},
    {"prims.scalar_tensor.default", [](Context& c) { return filled_with(c, 0); }},
    {"aten.linspace.default", linspace},
    {"aten.logspace.default", logspace},
    {"aten.hann_window.default", [](Context& c) { return cosine_window(c, 0.5, true); }},
    {"aten.hann_window.periodic", [](Context& c) { return cosine_window(c, 0.5, c.flag(1)); }},
    {"aten.hamming_window.default aten.hamming_window.periodic "
     "aten.hamming_window.periodic_alpha",
     hamming_window},
    {"aten.bartlett_window.default", [](Context& c) { return bartlett_window(c, true); }},
    {"aten.bartlett_window.periodic", [](Context& c) { return bartlett_window(c, c.flag(1)); }},
    {"aten.blackman_window.default", [](Context& c) { return blackman_window(c, true); }},
    {"aten.blackman_window.periodic", [](Context& c) { return blackman_window(c, c.flag(1)); }},
    {"aten.item.default", item},
    {"aten.one_hot.default", one_hot},
    {"aten.triu.default", triu},
    {"aten.tril_indices.default aten.triu_indices.default", triangle_indices},
    {"aten.copy.default", copy},
};

}  // namespace

std::span<const Entry> creation_rules() { return kCreationRules; }

}  // namespace slipway::passes::decompositions
