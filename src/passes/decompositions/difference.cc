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

// Where gradient() takes what it needs along one dimension: PyTorch's own weighing of three
// neighbours, in its order of steps.
struct Line {
  Context& c;
  Value* x;
  int64_t dim;

  SymInt size() const { return x->sizes().at(dim); }
  // So many elements from a place on; a negative one counts from the end.
  Value* at(int64_t place, const SymInt& count = 1) const {
    return c.build.narrow(x, dim, place < 0 ? size() + SymInt(place) : SymInt(place), count);
  }
  // The sum of three neighbours, each with its weight.
  Value* weighed(const std::vector<ir::Operand>& weights, int64_t first,
                 const SymInt& count = 1) const {
    Value* sum = nullptr;
    for (size_t i = 0; i < weights.size(); ++i) {
      Value* part = c.build.mul(at(first + static_cast<int64_t>(i), count), weights[i]);
      sum = sum ? c.build.add(sum, part) : part;
    }
    return sum;
  }
};

// By points that lie `spacing` apart.
Value* even_gradient(const Line& line, double spacing, bool is_first_order) {
  auto& b = line.c.build;
  const SymInt inner = line.size() - SymInt(2);
  Value* center = b.div(b.div(b.sub(line.at(2, inner), line.at(0, inner)), spacing), 2.0);
  Value* before = is_first_order ? b.sub(line.at(1), line.at(0)) : line.weighed({-1.5, 2, -0.5}, 0);
  Value* after =
      is_first_order ? b.sub(line.at(-1), line.at(-2)) : line.weighed({0.5, -2, 1.5}, -3);
  return b.cat({b.div(before, spacing), center, b.div(after, spacing)}, line.dim);
}

// By points with these coordinates.
Value* uneven_gradient(const Line& line, Value* points, bool is_first_order) {
  auto& b = line.c.build;
  const Neighbours pairs = neighbours(line.c, points, 0);
  const Line steps = {line.c, b.sub(pairs.later, pairs.earlier), 0};
  const SymInt inner = line.size() - SymInt(2);
  std::vector<SymInt> along(line.x->sizes().size(), SymInt(1));
  along.at(line.dim) = inner;
  // The weights of the derivative where the steps are `near` and `far` long.
  Value* near = steps.at(0, inner);
  Value* far = steps.at(1, inner);
  Value* both = b.add(near, far);
  const std::vector<ir::Operand> weights = {
      b.view(b.div(b.neg(far), b.mul(near, both)), along),
      b.view(b.div(b.sub(far, near), b.mul(near, far)), along),
      b.view(b.div(near, b.mul(far, both)), along)};
  Value* center = line.weighed(weights, 0, inner);
  if (is_first_order) {
    return b.cat({b.div(b.sub(line.at(1), line.at(0)), steps.at(0)), center,
                  b.div(b.sub(line.at(-1), line.at(-2)), steps.at(-1))},
                 line.dim);
  }
  // At an end: the step next to it, and the one after.
  const auto at_end = [&](Value* first, Value* second) {
    Value* sum = b.add(first, second);
    return std::vector<Value*>{b.div(b.add(b.mul(first, 2.0), second), b.mul(first, sum)),
                               b.div(sum, b.mul(first, second)), b.div(first, b.mul(second, sum))};
  };
  const auto start = at_end(steps.at(0), steps.at(1));
  const auto end = at_end(steps.at(-1), steps.at(-2));
  return b.cat({line.weighed({b.neg(start[0]), start[1], b.neg(start[2])}, 0), center,
                line.weighed({end[2], b.neg(end[1]), end[0]}, -3)},
               line.dim);
}

// gradient(self, spacing, dim, edge_order): spacing is one number, or a number or the coordinates
// of the points for each dimension. PyTorch exports static sizes only.
Values gradient(Context& c) {
  Value* x = c.tensor(0);
  const bool has_spacing = c.op() != "aten.gradient.array";
  const size_t at_dim = has_spacing ? 2 : 1;
  std::vector<int64_t> dims;
  if (c.has(at_dim)) {
    dims = c.dims(c.constants(at_dim), x->rank());
  } else {
    for (int64_t d = 0; d < x->rank(); ++d) dims.push_back(d);
  }
  const int64_t order = c.constant(at_dim + 1);
  std::vector<Value*> points;
  std::vector<double> spacing(dims.size(), 1.0);
  if (c.op().starts_with("aten.gradient.tensorarray")) {
    points = c.tensors(1);
  } else if (has_spacing && c.has(1)) {
    const bool is_list = c.op().starts_with("aten.gradient.scalarray");
    spacing = is_list ? c.numbers(1) : std::vector<double>(dims.size(), c.real(1));
  }
  Values results;
  for (size_t i = 0; i < dims.size(); ++i) {
    const Line line = {c, x, dims[i]};
    const auto least = c.bounds(line.size()).min;
    if (x->rank() == 0 || !least || *least <= order) {
      return c.unsupported("the size of its dimension may be too small for its edge_order");
    }
    Value* one = points.empty() ? even_gradient(line, spacing.at(i), order == 1)
                                : uneven_gradient(line, points.at(i), order == 1);
    results.push_back(c.build.to_dtype(one, c.output(i)->dtype()));
  }
  return results;
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

// combinations(self, r, with_replacement): of all tuples of indices, in order, those that rise.
Values combinations(Context& c) {
  auto& b = c.build;
  Value* x = c.tensor(0);
  const int64_t chosen = c.constant(1);
  const int64_t size = c.known(x->sizes().at(0), "the number of elements");
  const SymInt count = c.sizes().at(0);
  if (chosen == 0 || count == SymInt(0)) return {b.full(c.sizes(), 0, c.dtype())};
  constexpr int64_t kMost = 1 << 20;
  int64_t tuples = 1;
  for (int64_t i = 0; i < chosen && tuples <= kMost; ++i) tuples *= size;
  if (chosen < 0 || tuples > kMost) {
    return c.unsupported("there are more than a million tuples of its elements");
  }
  Value* tuple = b.arange(SymInt(tuples));
  // The index at each place, the first of which changes last.
  const auto indices = [&](Value* of) {
    std::vector<Value*> result;
    for (int64_t i = 0, stride = tuples; i < chosen; ++i) {
      stride /= size;
      result.push_back(b.remainder(b.div_mode(of, stride, "floor"), size));
    }
    return result;
  };
  if (chosen > 1) {
    const std::vector<Value*> all = indices(tuple);
    for (size_t i = 0; i + 1 < all.size(); ++i) {
      Value* falls = c.flag(2) ? b.gt(all[i], all[i + 1]) : b.ge(all[i], all[i + 1]);
      tuple = b.masked_fill(tuple, falls, SymInt(tuples));
    }
    tuple = b.narrow(b.topk(tuple, SymInt(tuples), 0, false).first, 0, 0, count);
  }
  std::vector<Value*> columns;
  for (Value* index : indices(tuple)) columns.push_back(b.index_select(x, 0, index));
  return {b.stack(columns, 1)};
}

// vander(x, N, increasing) and linalg_vander(x, N): the powers of each element, from 0 to N - 1.
Values vander(Context& c) {
  auto& b = c.build;
  Value* x = b.to_dtype(c.tensor(0), c.dtype());
  const SymInt count = last(c.sizes());
  std::vector<SymInt> sizes = c.sizes();
  sizes.back() = 1;
  if (count == SymInt(0)) return {b.zeros(c.sizes(), c.dtype())};
  Value* powers = b.ones(sizes, c.dtype());
  if (count != SymInt(1)) {
    sizes.back() = count - SymInt(1);
    Value* others = b.call("aten.cumprod.default",
                           {b.expand(b.unsqueeze(x, -1), sizes), SymInt(-1)}, c.dtype(), sizes);
    powers = b.cat({powers, others}, -1);
  }
  const bool is_falling = c.op() == "aten.vander.default" && !c.flag(2);
  return {is_falling && count != SymInt(1) ? b.flip(powers, {-1}) : powers};
}

// norm_except_dim(v, pow, dim): over all dimensions but one, which -1 is none of.
Values norm_except_dim(Context& c) {
  Value* x = c.tensor(0);
  const int64_t dim = c.constant(2);
  const int64_t kept = dim == -1 ? -1 : c.dim(dim, x->rank());
  if (x->rank() == 1 && kept == 0) x = c.build.unsqueeze(x, -1);
  std::vector<SymInt> dims;
  std::vector<SymInt> sizes = x->sizes();
  for (int64_t d = 0; d < x->rank(); ++d) {
    if (d == kept) continue;
    dims.emplace_back(d);
    sizes.at(d) = 1;
  }
  Value* norm = c.build.call("aten.linalg_vector_norm.default",
                             {x, static_cast<double>(c.constant(1)), dims, true}, c.dtype(), sizes);
  return {c.build.view(norm, c.sizes())};
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
    {"aten.combinations.default", combinations},
    {"aten.cumulative_trapezoid.x aten.cumulative_trapezoid.dx",
     [](Context& c) { return trapezoid(c, true); }},
    {"aten.diff.default", diff},
    {"aten.gradient.scalarint aten.gradient.scalararray aten.gradient.array "
     "aten.gradient.scalarrayint aten.gradient.scalarrayarray aten.gradient.tensorarrayint "
     "aten.gradient.tensorarray",
     gradient},
    {"aten.isreal.default", isreal},
    {"aten.linalg_diagonal.default", linalg_diagonal},
    {"aten.matrix_power.default aten.linalg_matrix_power.default", matrix_power},
    {"aten.norm_except_dim.default", norm_except_dim},
    {"aten.pad_sequence.default", pad_sequence},
    {"aten.slow_conv3d.default aten.thnn_conv2d.default", plain_convolution},
    {"aten.sum_to_size.default", sum_to_size},
    {"aten.trapezoid.x aten.trapezoid.dx aten.trapz.x aten.trapz.dx",
     [](Context& c) { return trapezoid(c, false); }},
    {"aten.vander.default aten.linalg_vander.default", vander},
};

}  // namespace

std::span<const Entry> difference_rules() { return kDifferenceRules; }

}  // namespace slipway::passes::decompositions
