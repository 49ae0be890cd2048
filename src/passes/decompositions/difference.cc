// Differences, sums over pieces of a line, and what else PyTorch composes of neighbours, powers and
// joins (aten/src/ATen/native/ReduceOps.cpp, Integration.cpp, PackedSequence.cpp,
// TensorShape.cpp).
#include <algorithm>

#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::SymInt;
using ir::Value;

// The elements that have one before them along a dimension, and those that have one after them.
struct Neighbours {
  Value* later = nullptr;
  Value* earlier = nullptr;
};

Neighbours neighbours(Context& c, Value* x, int64_t dim) {
  const SymInt pairs = x->sizes().at(dim) - SymInt(1);
  return {c.build.narrow(x, dim, 1, pairs), c.build.narrow(x, dim, 0, pairs)};
}

// diff(x, n, dim, prepend, append)
Values diff(Context& c) {
  Value* x = c.tensor(0);
  const int64_t dim = c.dim(c.constant(2), x->rank());
  constexpr int64_t kMost = 256;
  const int64_t count = c.constant(1);
  if (count > kMost) return c.unsupported("more than 256 differences are taken of each other");
  if (count == 0) return {x};
  if (c.has(3) || c.has(4)) {
    std::vector<Value*> parts;
    if (c.has(3)) parts.push_back(c.tensor(3));
    parts.push_back(x);
    if (c.has(4)) parts.push_back(c.tensor(4));
    x = c.build.cat(parts, dim);
  }
  for (int64_t i = 0; i < count; ++i) {
    const SymInt size = x->sizes().at(dim);
    if (size == SymInt(0)) break;  // PyTorch takes no more differences than there are elements.
    if (c.may_be_empty(size)) {
      return c.unsupported(
          "the size of its dimension may be 0: give it a least size of 1, by "
          "Dim(name, min=1) at export");
    }
    const Neighbours pairs = neighbours(c, x, dim);
    x = x->dtype() == DType::kBool ? c.build.ne(pairs.later, pairs.earlier)
                                   : c.build.sub(pairs.later, pairs.earlier);
  }
  return {x};
}

// The widths between the points x, so that they broadcast over those of y, along its dimension.
Value* widths(Context& c, Value* x, const Value* y, int64_t dim) {
  if (x->rank() == 1) {
    std::vector<SymInt> sizes(y->sizes().size(), SymInt(1));
    sizes.at(dim) = x->sizes().at(0);
    x = c.build.view(x, std::move(sizes));
  }
  while (x->rank() < y->rank()) x = c.build.unsqueeze(x, 0);
  const Neighbours pairs = neighbours(c, x, dim + x->rank() - y->rank());
  return c.build.sub(pairs.later, pairs.earlier);
}

// trapezoid.x(y, x, dim), trapezoid.dx(y, dx, dim); cumulative ones likewise. Each in PyTorch's own
// order of steps, which shows where integers overflow.
Values trapezoid(Context& c, bool is_cumulative) {
  Value* y = c.tensor(0);
  const int64_t dim = c.dim(c.constant(2), y->rank());
  if (c.may_be_empty(y->sizes().at(dim))) {
    return c.unsupported("the size of its dimension may be 0");
  }
  const Neighbours pairs = neighbours(c, y, dim);
  Value* twice = c.build.add(pairs.later, pairs.earlier);
  if (c.is_tensor(1)) {
    twice = c.build.mul(widths(c, c.tensor(1), y, dim), twice);
    return {
        c.build.div(is_cumulative ? c.build.cumsum(twice, dim) : c.build.sum(twice, {dim}), 2.0)};
  }
  if (is_cumulative) return {c.build.cumsum(c.build.mul(twice, c.real(1) / 2), dim)};
  Value* ends = c.build.add(c.build.select(y, dim, 0), c.build.select(y, dim, -1));
  Value* inside = c.build.sub(c.build.sum(y, {dim}), c.build.mul(ends, 0.5));
  return {c.build.mul(inside, ir::Operand(c.scalar(1)))};
}

Values cartesian_prod(Context& c) {
  const std::vector<Value*> lines = c.tensors(0);
  if (lines.size() == 1) return {lines.front()};
  if (lines.empty()) return c.unsupported("there are no tensors");
  std::vector<SymInt> grid;
  grid.reserve(lines.size());
  for (const Value* line : lines) grid.push_back(line->sizes().at(0));
  std::vector<Value*> columns;
  for (size_t i = 0; i < lines.size(); ++i) {
    std::vector<SymInt> sizes(grid.size(), SymInt(1));
    sizes[i] = grid[i];
    Value* repeated = c.build.expand(c.build.view(lines[i], sizes), grid);
    columns.push_back(c.build.view(repeated, {c.sizes().at(0)}));
  }
  return {c.build.stack(columns, 1)};
}

// pad_sequence(sequences, batch_first, padding_value, padding_side)
Values pad_sequence(Context& c) {
  const bool batch_first = c.flag(1);
  const bool on_the_left = c.text(3) == "left";
  const SymInt longest = c.sizes().at(batch_first ? 1 : 0);
  std::vector<Value*> padded;
  const std::vector<Value*> sequences = c.tensors(0);
  if (sequences.empty()) return c.unsupported("there are no tensors");
  for (Value* sequence : sequences) {
    std::vector<SymInt> pad(2 * sequence->sizes().size(), SymInt(0));
    pad.at(pad.size() - (on_the_left ? 2 : 1)) = longest - sequence->sizes().at(0);
    padded.push_back(c.build.constant_pad_nd(sequence, std::move(pad), c.real(2)));
  }
  return {c.build.stack(padded, batch_first ? 0 : 1)};
}

// Each with the sizes of its result.
Values as_views(Context& c) {
  const std::vector<Value*> tensors = c.tensors(0);
  Values results;
  for (size_t i = 0; i < c.output_count(); ++i) {
    results.push_back(c.build.view(tensors.at(i), c.output(i)->sizes()));
  }
  return results;
}

Values sum_to_size(Context& c) {
  Value* x = c.tensor(0);
  const int64_t extra = x->rank() - static_cast<int64_t>(c.sizes().size());
  std::vector<int64_t> dims;
  for (int64_t d = 0; d < x->rank(); ++d) {
    if (d < extra || (c.sizes().at(d - extra) == SymInt(1) && x->sizes().at(d) != SymInt(1))) {
      dims.push_back(d);
    }
  }
  if (dims.empty()) return {c.build.to_dtype(x, c.dtype())};
  return {c.build.view(c.build.sum(x, dims, true), c.sizes())};
}

Values linalg_diagonal(Context& c) {
  Value* x = c.tensor(0);
  return {c.build.diagonal(x, c.constant(1), c.dim(c.constant(2), x->rank()),
                           c.dim(c.constant(3), x->rank()))};
}

Values isreal(Context& c) { return {c.build.full(c.sizes(), true, DType::kBool)}; }

// matrix_power(x, n)
Values matrix_power(Context& c) {
  Value* x = c.tensor(0);
  const int64_t n = c.constant(1);
  constexpr int64_t kMost = 65536;
  if (n < -kMost || n > kMost) {
    return c.unsupported("only powers up to 65536, and of the inverse, are computed");
  }
  if (n == 0) {
    const SymInt size = last(x->sizes());
    Value* down = c.build.view(c.build.arange(size), {size, 1});
    Value* one = c.build.to_dtype(c.build.eq(down, c.build.arange(size)), c.dtype());
    return {c.build.expand(one, c.sizes())};
  }
  if (n < 0) x = c.build.call("aten.linalg_inv.default", {x}, c.dtype(), c.sizes());
  const auto product = [&](Value* a, Value* b) {
    return c.build.call("aten.matmul.default", {a, b}, c.dtype(), c.sizes());
  };
  Value* result = nullptr;
  Value* square = x;
  for (int64_t bits = n < 0 ? -n : n; bits > 0; bits >>= 1) {
    if (bits & 1) result = result ? product(result, square) : square;
    if (bits > 1) square = product(square, square);
  }
  return {result};
}

// slow_conv3d and thnn_conv2d(x, weight, kernel_size, bias, stride, padding)
Values plain_convolution(Context& c) {
  const std::vector<SymInt> kernel = c.integers(2);
  const std::vector<SymInt>& weight = c.tensor(1)->sizes();
  if (weight.size() != kernel.size() + 2 ||
      !std::equal(kernel.begin(), kernel.end(), weight.begin() + 2)) {
    return c.unsupported("its kernel_size is not that of its weight");
  }
  const std::vector<SymInt> stride = c.integers(4);
  const std::vector<SymInt> ones(stride.size(), SymInt(1));
  const std::vector<SymInt> zeros(stride.size(), SymInt(0));
  return {c.build.convolution(c.tensor(0), c.tensor(1), c.tensor_or_null(3), stride, c.integers(5),
                              ones, false, zeros, 1)};
}

constexpr Entry kDifferenceRules[] = {
    {"aten.atleast_1d.Sequence aten.atleast_2d.Sequence aten.atleast_3d.Sequence", as_views},
    {"aten.cartesian_prod.default", cartesian_prod},
    {"aten.cumulative_trapezoid.x aten.cumulative_trapezoid.dx",
     [](Context& c) { return trapezoid(c, true); }},
    {"aten.diff.default", diff},
    {"aten.isreal.default", isreal},
    {"aten.linalg_diagonal.default", linalg_diagonal},
    {"aten.matrix_power.default aten.linalg_matrix_power.default", matrix_power},
    {"aten.pad_sequence.default", pad_sequence},
    {"aten.slow_conv3d.default aten.thnn_conv2d.default", plain_convolution},
    {"aten.sum_to_size.default", sum_to_size},
    {"aten.trapezoid.x aten.trapezoid.dx aten.trapz.x aten.trapz.dx",
     [](Context& c) { return trapezoid(c, false); }},
};

}  // namespace

std::span<const Entry> difference_rules() { return kDifferenceRules; }

}  // namespace slipway::passes::decompositions
