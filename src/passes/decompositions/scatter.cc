// Writing by index into a tensor's elements, and writing slices.
#include <algorithm>

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

// Entries on their way to the places of self along dim: an index for each of them, or one for each
// slice of src across dim.
struct Entries {
  Operands to;
  Value* src;
  bool by_slice;

  // Along which dimension of the index they lie one after the other.
  int64_t index_dim() const { return by_slice ? 0 : to.dim; }

  Value* read(Context& c, Value* x, Value* index) const {
    return by_slice ? c.build.index_select(x, to.dim, index) : c.build.gather(x, to.dim, index);
  }
  Value* write(Context& c, Value* x, Value* index, Value* values) const {
    if (!by_slice) return c.build.scatter(x, to.dim, index, values);
    std::vector<Value*> list(to.dim, nullptr);
    list.push_back(index);
    return c.build.index_put(x, list, values);
  }
};

// More do not fit into memory.
constexpr int64_t kMostEntries = int64_t{1} << 48;

Value* combine(Context& c, const std::string& how, Value* a, Value* b) {
  return how == "prod"   ? c.build.mul(a, b)
         : how == "amax" ? c.build.maximum(a, b)
                         : c.build.minimum(a, b);
}

// The largest, smallest or product of all that is written to a place. The entries are sorted by
// place; each is combined with those before it that go to the same one, by steps that double, and
// the last one of each place is written.
Value* reduce_by_sorting(Context& c, Entries entries, const std::string& how, bool include_self) {
  const SymInt count = entries.to.index->sizes().at(entries.index_dim());
  const auto most = c.bounds(count).max;
  if (!most) {
    c.unsupported("its number of indices has no upper bound: give it one, by option 'bounds'");
    return entries.to.self;
  }
  const auto [index, order] = c.build.topk(entries.to.index, count, entries.index_dim(), false);
  Value* values = entries.read(c, entries.src, order);
  Value* position = c.build.arange(count);
  Sizes line(index->sizes().size(), 1);
  line.at(entries.index_dim()) = count;
  const auto neighbour = [&](Value* x, int64_t dim, int64_t distance) {
    Value* place = c.build.clamp(c.build.add(position, SymInt(distance)), SymInt(0), count - 1);
    return c.build.index_select(x, dim, place);
  };
  // Where nothing before a slice goes to its place, it is combined with what changes nothing:
  // itself, or 1 behind the last one.
  const bool is_product = how == "prod";
  Sizes slice = values->sizes();
  slice.at(entries.to.dim) = 1;
  Value* one = is_product && entries.by_slice ? c.build.ones(slice, values->dtype()) : nullptr;
  Value* unchanged = one ? c.build.full_like(position, count) : position;
  for (int64_t distance = 1; distance < std::min(*most, kMostEntries); distance *= 2) {
    Value* same =
        c.build.logical_and(c.build.eq(index, neighbour(index, entries.index_dim(), -distance)),
                            c.build.view(c.build.ge(position, SymInt(distance)), line));
    if (entries.by_slice) {
      Value* from = c.build.where(same, c.build.sub(position, SymInt(distance)), unchanged);
      Value* all = one ? c.build.cat({values, one}, entries.to.dim) : values;
      values = combine(c, how, entries.read(c, all, from), values);
    } else {
      Value* before = neighbour(values, entries.to.dim, -distance);
      values = c.build.where(same, combine(c, how, before, values), values);
    }
  }
  // What does not count is written behind the last place, and an index that is out of range to
  // where it is an error.
  const auto [self, dim, unsorted] = entries.to;
  const SymInt places = self->sizes().at(dim);
  Value* last = c.build.logical_or(c.build.ne(index, neighbour(index, entries.index_dim(), 1)),
                                   c.build.view(c.build.eq(position, count - 1), line));
  Value* is_outside = c.build.logical_or(c.build.ge(index, places), c.build.lt(index, 0));
  Value* goes_to = c.build.where(is_outside, c.build.full_like(index, places + 1), index);
  goes_to = c.build.where(last, goes_to, c.build.full_like(index, places));
  if (include_self) values = combine(c, how, entries.read(c, self, index), values);
  Sizes one_more = self->sizes();
  one_more.at(dim) = 1;
  Value* result = c.build.cat({self, c.build.zeros(one_more, self->dtype())}, dim);
  return c.build.narrow(entries.write(c, result, goes_to, values), dim, 0, places);
}

Value* total(Context& c, const Operands& o, Value* src, bool include_self) {
  const auto [self, dim, index] = o;
  Value* start = include_self ? self : c.build.scatter_value(self, dim, index, SymInt(0));
  return c.build.scatter_add(start, dim, index, src);
}

Values mean(Context& c, const Operands& o, Value* src, bool include_self) {
  Value* sum = total(c, o, src, include_self);
  Value* ones = c.build.full_like(src, SymInt(1));
  Operands of_ones = o;
  of_ones.self = c.build.full_like(o.self, SymInt(1));
  Value* count = total(c, of_ones, ones, include_self);
  return shaped(c, is_floating_point(o.self->dtype()) ? c.build.div(sum, count)
                                                      : c.build.div_mode(sum, count, "floor"));
}

Values reduce(Context& c, std::string how, bool include_self, Value* src) {
  const Operands o = operands(c);
  if (how == "add") how = "sum";
  if (how == "multiply") how = "prod";
  src = covered(c, src, o.index);
  if (how == "mean") return mean(c, o, src, include_self);
  if (how == "sum") return shaped(c, total(c, o, src, include_self));
  return shaped(c, reduce_by_sorting(c, {o, src, false}, how, include_self));
}

Values scatter_reduce(Context& c) {
  return reduce(c, c.text(4), c.flag(5), c.build.to_dtype(c.tensor(3), c.dtype()));
}

Values scatter_with_reduce(Context& c) {
  if (c.is_tensor(3)) return reduce(c, c.text(4), true, c.tensor(3));
  return reduce(c, c.text(4), true, c.build.full(c.tensor(2)->sizes(), c.scalar(3), c.dtype()));
}

// (self, dim, index, source, reduce, include_self): as scatter_reduce with one index for each slice
// of the source.
Values index_reduce(Context& c) {
  const Operands o = operands(c);
  const std::string how = c.text(4);
  const bool include_self = c.flag(5);
  Value* src = c.tensor(3);
  if (src->rank() < o.self->rank()) src = c.build.unsqueeze(src, o.dim);
  if (how == "mean") {
    Sizes line(src->sizes().size(), 1);
    line.at(o.dim) = o.index->sizes().at(0);
    Value* index = c.build.expand(c.build.view(o.index, line), src->sizes());
    return mean(c, {o.self, o.dim, index}, src, include_self);
  }
  return shaped(c, reduce_by_sorting(c, {o, src, true}, how, include_self));
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

constexpr Entry kScatterRules[] = {
    {"aten.scatter.src", scatter_src},
    {"aten.scatter.value", scatter_value},
    {"aten.scatter_add.default", scatter_add},
    {"aten.scatter_reduce.two", scatter_reduce},
    {"aten.scatter.reduce aten.scatter.value_reduce", scatter_with_reduce},
    {"aten.index_reduce.default", index_reduce},
    {"aten.slice_scatter.default", slice_scatter},
    {"aten.select_scatter.default", select_scatter},
    {"aten.diagonal_scatter.default", diagonal_scatter},
    {"aten.diag_embed.default", diag_embed},
    {"aten.diag.default", diag},
    {"aten.diagflat.default", diagflat},
};

}  // namespace

std::span<const Entry> scatter_rules() { return kScatterRules; }

}  // namespace slipway::passes::decompositions
