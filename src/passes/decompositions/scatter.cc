// Writing by index into a tensor's elements, and writing slices.
#include <limits>

#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::Scalar;
using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

// 0-dim tensors count as vectors of one element.
struct Operands {
  Value* self;
  int64_t dim;
  Value* index;
};

Value* at_least_1d(Context& c, Value* x) { return x->rank() == 0 ? c.build.view(x, {1}) : x; }

Operands operands(Context& c) {
  Value* self = at_least_1d(c, c.tensor(0));
  return {self, c.dim(c.constant(1), self->rank()),
          at_least_1d(c, c.build.to_dtype(c.tensor(2), DType::kInt64))};
}

// The part of src that the index covers.
Value* covered(Context& c, Value* src, Value* index) {
  src = at_least_1d(c, src);
  for (int64_t d = 0; d < src->rank() && d < index->rank(); ++d) {
    if (src->sizes().at(d) != index->sizes().at(d))
      src = c.build.narrow(src, d, 0, index->sizes().at(d));
  }
  return src;
}

Values shaped(Context& c, Value* result) {
  return {result->sizes() == c.sizes() ? result : c.build.view(result, c.sizes())};
}

Values scatter_src(Context& c) {
  if (c.tensor(0)->rank() > 0 && c.tensor(2)->dtype() == DType::kInt64 &&
      c.tensor(3)->dtype() == c.dtype()) {
    return {};
  }
  const auto [self, dim, index] = operands(c);
  Value* src = at_least_1d(c, c.build.to_dtype(c.tensor(3), c.dtype()));
  return shaped(c, c.build.scatter(self, dim, index, src));
}

Values scatter_value(Context& c) {
  if (c.tensor(0)->rank() > 0 && c.tensor(2)->dtype() == DType::kInt64) return {};
  const auto [self, dim, index] = operands(c);
  return shaped(c, c.build.scatter_value(self, dim, index, c.scalar(3)));
}

Values scatter_add(Context& c) {
  if (c.tensor(0)->rank() > 0 && c.tensor(2)->dtype() == DType::kInt64) return {};
  const auto [self, dim, index] = operands(c);
  return shaped(c, c.build.scatter_add(self, dim, index, at_least_1d(c, c.tensor(3))));
}

// The largest, smallest or product of all that is written to a place: for each place of the
// dimension, the entries that do not go there are replaced by what changes nothing.
Value* reduce_by_mask(Context& c, Operands o, Value* src, const std::string& how,
                      bool include_self) {
  const auto [self, dim, index] = o;
  for (int64_t d = 0; d < self->rank(); ++d) {
    if (d != dim && self->sizes().at(d) != index->sizes().at(d)) {
      c.unsupported("its index is smaller than the tensor outside of dim: slice the tensor first");
      return self;
    }
  }
  const DType dtype = self->dtype();
  if (!is_floating_point(dtype) && how != "prod") {
    c.unsupported("it is covered for floating point tensors only: convert before and after");
    return self;
  }
  const SymInt places = self->sizes().at(dim);
  Sizes line(self->sizes().size() + 1, 1);
  line.at(dim) = places;
  Value* goes_here =
      c.build.eq(c.build.unsqueeze(index, dim), c.build.view(c.build.arange(places), line));
  const double infinity = std::numeric_limits<double>::infinity();
  const double neutral = how == "prod" ? 1.0 : how == "amax" ? -infinity : infinity;
  Value* entries = c.build.where(goes_here, c.build.unsqueeze(src, dim),
                                 how == "prod" ? c.build.scalar_tensor(SymInt(1), dtype)
                                               : c.build.scalar_tensor(neutral, dtype));
  Value* best = how == "prod"   ? c.build.prod(entries, dim + 1)
                : how == "amax" ? c.build.amax(entries, {dim + 1})
                                : c.build.amin(entries, {dim + 1});
  best = c.build.to_dtype(best, dtype);
  if (include_self) {
    return how == "prod"   ? c.build.mul(self, best)
           : how == "amax" ? c.build.maximum(self, best)
                           : c.build.minimum(self, best);
  }
  return c.build.where(c.build.any(goes_here, dim + 1), best, self);
}

Values reduce(Context& c, std::string how, bool include_self, Value* src) {
  const Operands o = operands(c);
  const auto [self, dim, index] = o;
  if (how == "add") how = "sum";
  if (how == "multiply") how = "prod";
  src = covered(c, src, index);
  if (how != "sum" && how != "mean") {
    return shaped(c, reduce_by_mask(c, o, src, how, include_self));
  }
  Value* start = include_self ? self : c.build.scatter_value(self, dim, index, SymInt(0));
  Value* total = c.build.scatter_add(start, dim, index, src);
  if (how == "mean") {
    Value* ones = c.build.full_like(src, SymInt(1));
    Value* count = c.build.full_like(self, SymInt(1));
    if (!include_self) count = c.build.scatter_value(count, dim, index, SymInt(0));
    count = c.build.scatter_add(count, dim, index, ones);
    total = is_floating_point(self->dtype()) ? c.build.div(total, count)
                                             : c.build.div_mode(total, count, "floor");
  }
  return shaped(c, total);
}

Values scatter_reduce(Context& c) {
  return reduce(c, c.text(4), c.flag(5), c.build.to_dtype(c.tensor(3), c.dtype()));
}

Values scatter_with_reduce(Context& c) {
  if (c.is_tensor(3)) return reduce(c, c.text(4), true, c.tensor(3));
  return reduce(c, c.text(4), true, c.build.full(c.tensor(2)->sizes(), c.scalar(3), c.dtype()));
}

Values slice_scatter(Context& c) {
  Value* src = c.build.to_dtype(c.tensor(1), c.dtype());
  const bool by_one = !c.has(5) || c.integer(5) == SymInt(1);
  if (by_one && src->sizes() == c.sizes()) return {src};
  if (src == c.tensor(1)) return {};
  return {c.build.call("aten.slice_scatter.default",
                       {c.tensor(0), src, c.arg(2), c.arg(3), c.arg(4), c.arg(5)}, c.dtype(),
                       c.sizes())};
}

Values select_scatter(Context& c) {
  Value* src = c.build.to_dtype(c.tensor(1), c.dtype());
  if (src == c.tensor(1)) return {};
  return {c.build.call("aten.select_scatter.default", {c.tensor(0), src, c.arg(2), c.arg(3)},
                       c.dtype(), c.sizes())};
}

// self with `src` on a diagonal; the last dimension of src runs along it.
Value* with_diagonal(Context& c, Value* self, Value* src, int64_t offset, int64_t dim1,
                     int64_t dim2) {
  const int64_t rank = self->rank();
  dim1 = c.dim(dim1, rank);
  dim2 = c.dim(dim2, rank);
  std::vector<int64_t> front = {dim1, dim2};
  for (int64_t d = 0; d < rank; ++d) {
    if (d != dim1 && d != dim2) front.push_back(d);
  }
  std::vector<int64_t> back(rank);
  for (int64_t i = 0; i < rank; ++i) back.at(front.at(i)) = i;
  std::vector<int64_t> length_first = {src->rank() - 1};
  for (int64_t d = 0; d + 1 < src->rank(); ++d) length_first.push_back(d);

  // What the archive says of a diagonal outside the matrix is negative.
  const SymInt length = SymInt::max(last(src->sizes()), 0);
  Value* rows =
      c.build.arange(SymInt(offset < 0 ? -offset : 0), length + SymInt(offset < 0 ? -offset : 0));
  Value* columns =
      c.build.arange(SymInt(offset > 0 ? offset : 0), length + SymInt(offset > 0 ? offset : 0));
  Value* moved = c.build.permute(self, front);
  Value* values = c.build.to_dtype(c.build.permute(src, length_first), self->dtype());
  return c.build.permute(c.build.index_put(moved, {rows, columns}, values), back);
}

Values diagonal_scatter(Context& c) {
  return {with_diagonal(c, c.tensor(0), c.tensor(1), c.has(2) ? c.constant(2) : 0,
                        c.has(3) ? c.constant(3) : 0, c.has(4) ? c.constant(4) : 1)};
}

Values diag_embed(Context& c) {
  Value* zeros = c.build.zeros(c.sizes(), c.dtype());
  return {with_diagonal(c, zeros, c.tensor(0), c.has(1) ? c.constant(1) : 0,
                        c.has(2) ? c.constant(2) : -2, c.has(3) ? c.constant(3) : -1)};
}

Values diag(Context& c) {
  Value* x = c.tensor(0);
  const int64_t offset = c.has(1) ? c.constant(1) : 0;
  if (x->rank() == 2) return {c.build.diagonal(x, offset, 0, 1)};
  return {with_diagonal(c, c.build.zeros(c.sizes(), c.dtype()), x, offset, 0, 1)};
}

Values diagflat(Context& c) {
  Value* x = c.build.view(c.tensor(0), {c.tensor(0)->type().numel()});
  return {
      with_diagonal(c, c.build.zeros(c.sizes(), c.dtype()), x, c.has(1) ? c.constant(1) : 0, 0, 1)};
}

constexpr Entry kRules[] = {
    {"aten.scatter.src", scatter_src},
    {"aten.scatter.value", scatter_value},
    {"aten.scatter_add.default", scatter_add},
    {"aten.scatter_reduce.two", scatter_reduce},
    {"aten.scatter.reduce aten.scatter.value_reduce", scatter_with_reduce},
    {"aten.slice_scatter.default", slice_scatter},
    {"aten.select_scatter.default", select_scatter},
    {"aten.diagonal_scatter.default", diagonal_scatter},
    {"aten.diag_embed.default", diag_embed},
    {"aten.diag.default", diag},
    {"aten.diagflat.default", diagflat},
};

}  // namespace

std::span<const Entry> scatter_rules() { return kRules; }

}  // namespace slipway::passes::decompositions
