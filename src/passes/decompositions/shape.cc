// Views, rearrangements and joins.
#include <algorithm>

#include "ir/position.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::Argument;
using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

// The same elements with the result's sizes.
Values as_view(Context& c) {
  Value* x = c.tensor(0);
  if (x->sizes() == c.sizes()) return {x};
  return {c.build.call("aten.view_copy.default", {x, c.sizes()}, x->dtype(), c.sizes())};
}

Values identity(Context& c) { return {c.tensor(0)}; }

// Output dimension i is input dimension order[i].
Values permuted(Context& c, const std::vector<int64_t>& order) {
  Value* x = c.tensor(0);
  if (order.size() != x->sizes().size()) return c.unsupported("its dimensions are inconsistent");
  // Dimensions of size 1 may go anywhere at no cost.
  std::vector<int64_t> moved;
  for (const int64_t d : order) {
    if (x->sizes().at(d) != SymInt(1)) moved.push_back(d);
  }
  if (std::is_sorted(moved.begin(), moved.end())) return as_view(c);
  std::vector<SymInt> dims(order.begin(), order.end());
  return {c.build.call("aten.permute_copy.default", {x, dims}, x->dtype(), c.sizes())};
}

Values swapped(Context& c, int64_t a, int64_t b) {
  const int64_t rank = c.tensor(0)->rank();
  std::vector<int64_t> order(rank);
  for (int64_t i = 0; i < rank; ++i) order.at(i) = i;
  if (rank > 1) std::swap(order.at(c.dim(a, rank)), order.at(c.dim(b, rank)));
  return permuted(c, order);
}

Values permute(Context& c) { return permuted(c, c.dims(c.constants(1), c.tensor(0)->rank())); }

Values reverse_dims(Context& c) {
  std::vector<int64_t> order;
  for (int64_t i = c.tensor(0)->rank(); i-- > 0;) order.push_back(i);
  return permuted(c, order);
}

Values movedim(Context& c) {
  const int64_t rank = c.tensor(0)->rank();
  const auto from = c.dims(c.constants(1), rank);
  const auto to = c.dims(c.constants(2), rank);
  if (from.size() != to.size()) return c.unsupported("its lists of dimensions differ in length");
  std::vector<int64_t> order(rank, -1);
  for (size_t i = 0; i < from.size(); ++i) order.at(to.at(i)) = from.at(i);
  int64_t next = 0;
  for (int64_t& d : order) {
    if (d >= 0) continue;
    while (std::find(from.begin(), from.end(), next) != from.end()) ++next;
    d = next++;
  }
  return permuted(c, order);
}

Value* expanded(Context& c, Value* x, const Sizes& sizes) {
  if (x->sizes() == sizes) return x;
  const size_t added = sizes.size() - x->sizes().size();
  Sizes same(added, 1);
  same.insert(same.end(), x->sizes().begin(), x->sizes().end());
  if (same == sizes) return c.build.view(x, sizes);
  return c.build.call("aten.expand_copy.default", {x, sizes, false}, x->dtype(), sizes);
}

Values expand(Context& c) { return {expanded(c, c.tensor(0), c.sizes())}; }

Values expand_each(Context& c) {
  Values values;
  const auto tensors = c.tensors(0);
  if (tensors.size() != c.output_count()) return c.unsupported("its results are inconsistent");
  for (size_t i = 0; i < tensors.size(); ++i) {
    values.push_back(expanded(c, tensors.at(i), c.output(i)->sizes()));
  }
  return values;
}

Values slice(Context& c) {
  Value* x = c.tensor(0);
  const SymInt step = c.has(4) ? c.integer(4) : SymInt(1);
  if (step == SymInt(1) && x->sizes() == c.sizes()) return {x};
  const Argument start = c.has(2) ? c.arg(2) : Argument(SymInt(0));
  const Argument end = c.has(3) ? c.arg(3) : Argument(SymInt(INT64_MAX));
  return {c.build.call("aten.slice_copy.Tensor", {x, c.integer(1), start, end, step}, x->dtype(),
                       c.sizes())};
}

Value* part(Context& c, Value* x, int64_t dim, const SymInt& start, const Value* like) {
  if (x->sizes() == like->sizes()) return x;
  return c.build.call("aten.slice_copy.Tensor",
                      {x, SymInt(dim), start, start + like->sizes().at(dim), 1}, x->dtype(),
                      like->sizes());
}

Values narrow(Context& c) {
  Value* x = c.tensor(0);
  const int64_t dim = c.dim(c.constant(1), x->rank());
  const SymInt start = ir::from_front(c.integer(2), x->sizes().at(dim), c.ranges());
  return {part(c, x, dim, start, c.output())};
}

// By data: start is a tensor of one element.
Values narrow_at(Context& c) {
  auto& b = c.build;
  Value* x = c.tensor(0);
  const int64_t dim = c.dim(c.constant(1), x->rank());
  Value* start = b.to_dtype(b.view(c.tensor(2), {SymInt(1)}), DType::kInt64);
  start = b.where(b.lt(start, 0), b.add(start, ir::Operand(x->sizes().at(dim))), start);
  return {b.index_select(x, dim, b.add(b.arange(c.integer(3)), start))};
}

Values select(Context& c) {
  return {c.build.call("aten.select_copy.int", {c.tensor(0), c.integer(1), c.integer(2)}, c.dtype(),
                       c.sizes())};
}

// The pieces follow each other along the dimension, however they were asked for.
Values pieces(Context& c, int64_t dim) {
  Value* x = c.tensor(0);
  dim = c.dim(dim, x->rank());
  Values values;
  SymInt start = 0;
  for (size_t i = 0; i < c.output_count(); ++i) {
    values.push_back(part(c, x, dim, start, c.output(i)));
    start = start + c.output(i)->sizes().at(dim);
  }
  return values;
}

// The pieces end at the indices, which need not rise.
Values split_at(Context& c) {
  const Sizes ends = c.integers(1);
  Value* x = c.tensor(0);
  const int64_t dim = c.dim(c.has(2) ? c.constant(2) : 0, x->rank());
  Values values;
  for (size_t i = 0; i < c.output_count(); ++i) {
    const SymInt start = i == 0 ? SymInt(0) : ends.at(i - 1);
    const SymInt end = i < ends.size() ? ends.at(i) : SymInt(INT64_MAX);
    Value* piece = c.build.call("aten.slice_copy.Tensor", {x, SymInt(dim), start, end, SymInt(1)},
                                c.output(i)->dtype(), c.output(i)->sizes());
    values.push_back(piece);
  }
  return values;
}

// By data: the number of pieces, or where they end, as slice() takes it.
Values split_by(Context& c) {
  auto& b = c.build;
  Value* x = c.tensor(0);
  const int64_t dim = c.dim(c.constant(2), x->rank());
  if (c.tensor(1)->rank() == 0) return pieces(c, dim);
  const SymInt size = x->sizes().at(dim);
  Value* place = b.arange(size);
  Value* ends = b.to_dtype(c.tensor(1), DType::kInt64);
  ends = b.where(b.lt(ends, 0), b.add(ends, ir::Operand(size)), ends);
  Values values;
  for (size_t i = 0; i < c.output_count(); ++i) {
    Value* is_in_piece = nullptr;
    if (i > 0) is_in_piece = b.ge(place, b.select(ends, 0, static_cast<int64_t>(i) - 1));
    if (i + 1 < c.output_count()) {
      Value* is_before = b.lt(place, b.select(ends, 0, static_cast<int64_t>(i)));
      is_in_piece = is_in_piece ? b.logical_and(is_in_piece, is_before) : is_before;
    }
    if (!is_in_piece) return {x};
    const SymInt length = c.output(i)->sizes().at(dim);
    Value* places = b.call("aten.nonzero.default", {is_in_piece}, DType::kInt64, {length, 1});
    values.push_back(b.index_select(x, dim, b.view(places, {length})));
  }
  return values;
}

Values split(Context& c) { return pieces(c, c.has(2) ? c.constant(2) : 0); }

Values unbind(Context& c) {
  Values values;
  for (size_t i = 0; i < c.output_count(); ++i) {
    values.push_back(c.build.call("aten.select_copy.int",
                                  {c.tensor(0), c.integer(1), SymInt(static_cast<int64_t>(i))},
                                  c.output(i)->dtype(), c.output(i)->sizes()));
  }
  return values;
}

// cat takes 1-dimensional empty tensors beside tensors of any rank.
std::vector<Value*> joined(Context& c) {
  std::vector<Value*> tensors;
  const auto rank = static_cast<int64_t>(c.sizes().size());
  for (Value* x : c.tensors(0)) {
    if (x->rank() == 1 && x->rank() != rank && x->sizes().at(0) == SymInt(0)) continue;
    tensors.push_back(c.build.to_dtype(x, c.dtype()));
  }
  return tensors;
}

Values cat(Context& c) {
  const auto given = c.tensors(0);
  const auto tensors = joined(c);
  if (tensors.size() == 1) return {tensors.at(0)};
  const bool has_elements = std::none_of(c.sizes().begin(), c.sizes().end(),
                                         [](const SymInt& size) { return size == SymInt(0); });
  if (tensors.empty() || !has_elements) return {c.build.zeros(c.sizes(), c.dtype())};
  if (tensors == given && c.op() == "aten.cat.default") return {};
  return {c.build.cat(tensors, c.has(1) ? c.constant(1) : 0)};
}

Values stack(Context& c) {
  const auto tensors = joined(c);
  if (tensors == c.tensors(0)) return {};
  return {c.build.stack(tensors, c.has(1) ? c.constant(1) : 0)};
}

// hstack and its like: each tensor gets at least `rank` dimensions, then they are joined.
Values join_along(Context& c, int64_t rank, int64_t dim, bool trailing) {
  std::vector<Value*> tensors;
  for (Value* x : c.tensors(0)) {
    x = c.build.to_dtype(x, c.dtype());
    if (x->rank() == 0) x = c.build.view(x, {1});
    while (x->rank() < rank) x = c.build.unsqueeze(x, trailing || x->rank() > 1 ? x->rank() : 0);
    tensors.push_back(x);
  }
  return {c.build.cat(tensors, dim)};
}

Values hstack(Context& c) {
  const bool flat = c.sizes().size() == 1;
  return join_along(c, 1, flat ? 0 : 1, false);
}

Values repeat_interleave_number(Context& c) {
  Value* x = c.tensor(0);
  const SymInt repeats = c.integer(1);
  int64_t dim = 0;
  if (c.has(2)) {
    dim = c.dim(c.constant(2), x->rank());
  } else {
    x = c.build.view(x, {x->type().numel()});
  }
  x = c.build.unsqueeze(x, dim + 1);
  Sizes sizes = x->sizes();
  sizes.at(dim + 1) = repeats;
  return {c.build.view(c.build.expand(x, sizes), c.sizes())};
}

Values repeat_interleave_each(Context& c) {
  Value* x = c.tensor(0);
  Value* repeats = c.tensor(1);
  int64_t dim = 0;
  if (c.has(2)) {
    dim = c.dim(c.constant(2), x->rank());
  } else {
    x = c.build.view(x, {x->type().numel()});
  }
  if (repeats->rank() == 0 || repeats->sizes().at(0) == SymInt(1)) {
    repeats = c.build.expand(repeats, {x->sizes().at(dim)});
  }
  const SymInt length = c.sizes().at(dim);
  Value* index = c.build.call("aten.repeat_interleave.Tensor", {repeats, ir::None{}},
                              repeats->dtype(), {length});
  return {c.build.call("aten.index_select.default", {x, SymInt(dim), index}, c.dtype(), c.sizes())};
}

Values repeat(Context& c) {
  Sizes repeats = c.integers(1);
  Value* x = c.tensor(0);
  while (repeats.size() < x->sizes().size()) repeats.insert(repeats.begin(), 1);  // tile
  if (std::all_of(repeats.begin(), repeats.end(), [](const SymInt& r) { return r == SymInt(1); })) {
    return as_view(c);
  }
  if (c.op() == "aten.repeat.default") return {};
  return {c.build.repeat(x, repeats)};
}

Values flip_along(Context& c, int64_t dim) { return {c.build.flip(c.tensor(0), {dim})}; }

Values rot90(Context& c) {
  Value* x = c.tensor(0);
  const int64_t turns = ((c.has(1) ? c.constant(1) : 1) % 4 + 4) % 4;
  std::vector<int64_t> dims =
      c.has(2) ? c.dims(c.constants(2), x->rank()) : std::vector<int64_t>{0, 1};
  if (dims.size() != 2) return c.unsupported("it turns in a plane of two dimensions");
  switch (turns) {
    case 1:
      return {c.build.transpose(c.build.flip(x, {dims.at(1)}), dims.at(0), dims.at(1))};
    case 2:
      return {c.build.flip(x, dims)};
    case 3:
      return {c.build.flip(c.build.transpose(x, dims.at(0), dims.at(1)), {dims.at(1)})};
    default:
      return {x};
  }
}

// Two slices and a join along each dimension: the kernel copies element by element.
Values roll(Context& c) {
  Value* x = c.tensor(0);
  const auto shifts = c.integers(1);
  auto dims = c.has(2) ? c.dims(c.constants(2), x->rank()) : std::vector<int64_t>{};
  const bool flat = dims.empty();
  if (flat) {
    x = c.build.view(x, {x->type().numel()});
    dims = {0};
  }
  if (dims.size() != shifts.size()) return c.unsupported("it has not one shift for each dimension");
  for (size_t i = 0; i < dims.size(); ++i) {
    const SymInt size = x->sizes().at(dims.at(i));
    if (size == SymInt(0)) return {c.tensor(0)};
    const bool may_be_empty = c.bounds(size).min.value_or(0) < 1;
    const SymInt shift = SymInt::mod(shifts.at(i), may_be_empty ? SymInt::max(size, 1) : size);
    if (shift == SymInt(0)) continue;
    x = c.build.cat({c.build.narrow(x, dims.at(i), size - shift, shift),
                     c.build.narrow(x, dims.at(i), 0, size - shift)},
                    dims.at(i));
  }
  return {flat ? c.build.view(x, c.sizes()) : x};
}

Values unfold(Context& c) {
  Value* x = c.tensor(0);
  if (x->rank() == 0) {  // one line of one place
    return {c.sizes().at(0) == SymInt(1) ? c.build.view(x, {1})
                                         : c.build.zeros(c.sizes(), c.dtype())};
  }
  if (c.op() == "aten.unfold_copy.default") return {};
  return {c.build.call("aten.unfold_copy.default",
                       {c.tensor(0), c.integer(1), c.integer(2), c.integer(3)}, c.dtype(),
                       c.sizes())};
}

Values diagonal(Context& c) {
  return {c.build.call("aten.diagonal_copy.default",
                       {c.tensor(0), c.integer(1), c.integer(2), c.integer(3)}, c.dtype(),
                       c.sizes())};
}

// Every tensor is contiguous here, and so is what the strides refer to.
Values as_strided(Context& c) {
  Value* x = c.tensor(0);
  const Sizes sizes = c.integers(1);
  const Sizes strides = c.integers(2);
  const SymInt offset = c.has(3) ? c.integer(3) : SymInt(0);
  const Sizes contiguous = ir::contiguous_strides(sizes);
  bool same = offset == SymInt(0) && x->type().numel() == ir::numel(sizes);
  for (size_t i = 0; i < sizes.size(); ++i) {
    same = same && (sizes.at(i) == SymInt(1) || strides.at(i) == contiguous.at(i));
  }
  if (same) return as_view(c);
  return {c.build.call("aten.as_strided_copy.default", {x, sizes, strides, offset}, c.dtype(),
                       c.sizes())};
}

Values channel_shuffle(Context& c) {
  Value* x = c.tensor(0);
  const Sizes& s = x->sizes();
  const SymInt groups = c.integer(1);
  Sizes split = {s.at(0), groups, SymInt::floordiv(s.at(1), groups)};
  split.insert(split.end(), s.begin() + 2, s.end());
  return {c.build.view(c.build.transpose(c.build.view(x, split), 1, 2), s)};
}

Values meshgrid(Context& c) {
  const auto tensors = c.tensors(0);
  const bool by_columns = c.text(1) == "xy" && tensors.size() > 1;
  Values values;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const size_t place = by_columns && i < 2 ? 1 - i : i;
    Sizes sizes(tensors.size(), 1);
    sizes.at(place) = tensors.at(i)->type().numel();
    values.push_back(c.build.expand(c.build.view(tensors.at(i), sizes), c.output(i)->sizes()));
  }
  return values;
}

// Each matrix in rows and columns of its own; what is of lower rank is a row.
Values block_diag(Context& c) {
  auto& b = c.build;
  std::vector<Value*> rows;
  SymInt before = 0;
  for (Value* x : c.tensors(0)) {
    if (x->rank() < 2) x = b.view(x, {SymInt(1), x->type().numel()});
    const SymInt width = x->sizes().at(1);
    const SymInt behind = c.sizes().at(1) - before - width;
    rows.push_back(b.constant_pad_nd(b.to_dtype(x, c.dtype()), {before, behind}));
    before = before + width;
  }
  return {b.cat(rows, 0)};
}

constexpr Entry kShapeRules[] = {
    {"aten.view.default aten.reshape.default aten._unsafe_view.default aten.flatten.using_ints "
     "aten.unflatten.int aten.view_as.default aten.reshape_as.default aten.unsqueeze.default "
     "aten.squeeze.default aten.squeeze.dim aten.squeeze.dims aten.ravel.default "
     "aten._reshape_alias.default aten._reshape_copy.default aten.atleast_1d.default "
     "aten.atleast_2d.default aten.atleast_3d.default aten.unsqueeze_copy.default "
     "aten.squeeze_copy.default aten.squeeze_copy.dim aten.squeeze_copy.dims",
     as_view},
    {"aten.alias.default aten.alias_copy.default aten.detach.default aten.detach_copy.default "
     "aten.contiguous.default aten.clone.default aten.lift_fresh_copy.default "
     "aten.lift_fresh.default aten.lift.default aten.positive.default aten.resolve_conj.default "
     "aten.resolve_neg.default",
     identity},
    {"aten.permute.default", permute},
    {"aten.transpose.int aten.swapaxes.default aten.swapdims.default aten.transpose_copy.int",
     [](Context& c) { return swapped(c, c.constant(1), c.constant(2)); }},
    {"aten.t.default aten.t_copy.default", [](Context& c) { return swapped(c, 0, 1); }},
    {"aten.mT.default aten.mH.default aten.adjoint.default",
     [](Context& c) { return swapped(c, -2, -1); }},
    {"aten.numpy_T.default aten.matrix_H.default", reverse_dims},
    {"aten.movedim.intlist aten.movedim.int aten.moveaxis.intlist aten.moveaxis.int", movedim},
    {"aten.expand.default aten.expand_as.default aten.broadcast_to.default", expand},
    {"aten.broadcast_tensors.default", expand_each},
    {"aten.slice.Tensor", slice},
    {"aten.narrow.default aten.narrow_copy.default", narrow},
    {"aten.narrow.Tensor", narrow_at},
    {"aten.select.int", select},
    {"aten.split.Tensor aten.split.sizes aten.split_with_sizes.default aten.unsafe_split.Tensor "
     "aten.unsafe_split_with_sizes.default aten.chunk.default aten.unsafe_chunk.default "
     "aten.tensor_split.sections aten.split_copy.Tensor "
     "aten.split_with_sizes_copy.default",
     split},
    {"aten.hsplit.int aten.hsplit.array",
     [](Context& c) { return pieces(c, c.tensor(0)->rank() == 1 ? 0 : 1); }},
    {"aten.vsplit.int aten.vsplit.array", [](Context& c) { return pieces(c, 0); }},
    {"aten.dsplit.int aten.dsplit.array", [](Context& c) { return pieces(c, 2); }},
    {"aten.unbind.int aten.unbind_copy.int", unbind},
    {"aten.cat.default aten.concat.default aten.concatenate.default", cat},
    {"aten.stack.default", stack},
    {"aten.hstack.default", hstack},
    {"aten.vstack.default aten.row_stack.default",
     [](Context& c) { return join_along(c, 2, 0, false); }},
    {"aten.dstack.default", [](Context& c) { return join_along(c, 3, 2, false); }},
    {"aten.column_stack.default", [](Context& c) { return join_along(c, 2, 1, true); }},
    {"aten.block_diag.default", block_diag},
    {"aten.repeat.default aten.tile.default", repeat},
    {"aten.repeat_interleave.self_int", repeat_interleave_number},
    {"aten.repeat_interleave.self_Tensor", repeat_interleave_each},
    {"aten.fliplr.default", [](Context& c) { return flip_along(c, 1); }},
    {"aten.flipud.default", [](Context& c) { return flip_along(c, 0); }},
    {"aten.rot90.default", rot90},
    {"aten.roll.default", roll},
    {"aten.unfold.default aten.unfold_copy.default", unfold},
    {"aten.tensor_split.indices", split_at},
    {"aten.tensor_split.tensor_indices_or_sections", split_by},
    {"aten.diagonal.default", diagonal},
    {"aten.as_strided.default", as_strided},
    {"aten.channel_shuffle.default aten.native_channel_shuffle.default", channel_shuffle},
    {"aten.meshgrid.default aten.meshgrid.indexing", meshgrid},
};

}  // namespace

std::span<const Entry> shape_rules() { return kShapeRules; }

}  // namespace slipway::passes::decompositions
