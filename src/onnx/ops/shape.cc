#include <algorithm>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

#include "ir/position.h"
#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

using ir::SymInt;

constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();

// Any operator that keeps the elements' order: the result's sizes say all.
void view(Context& c) { c.result(c.reshape(c.tensor(0), c.type(0).sizes, c.sizes())); }

void permute(Context& c) {
  std::vector<int64_t> order;
  for (int64_t item : c.constants(1)) order.push_back(c.dim(item, c.rank(0)));
  c.result(c.transpose(c.tensor(0), order));
}

// Argument 0, a list whose tensors are all there.
std::vector<ir::Value*> tensor_list(Context& c) {
  auto list = c.values(0);
  if (std::erase(list, nullptr) > 0) c.fail("one of its tensors is missing");
  return list;
}

void transpose(Context& c) {
  const int64_t rank = c.rank(0);
  const std::string_view name = base_name(c);
  const bool last_two = name == "t" || name == "mT" || name == "adjoint";
  if (rank < 2) return c.result(c.tensor(0));
  std::vector<int64_t> order = iota(rank);
  const int64_t a = last_two ? rank - 2 : c.dim(c.constant(1), rank);
  const int64_t b = last_two ? rank - 1 : c.dim(c.constant(2), rank);
  std::swap(order.at(static_cast<size_t>(a)), order.at(static_cast<size_t>(b)));
  c.result(c.transpose(c.tensor(0), order));
}

// movedim(x, source, destination)
void movedim(Context& c) {
  const int64_t rank = c.rank(0);
  const auto from = c.dims(1, rank, false);
  const auto to = c.dims(2, rank, false);
  std::vector<int64_t> order(static_cast<size_t>(rank), -1);
  for (size_t i = 0; i < from.size() && i < to.size(); ++i) {
    order.at(static_cast<size_t>(to.at(i))) = from.at(i);
  }
  int64_t next = 0;
  for (int64_t& item : order) {
    if (item >= 0) continue;
    while (std::find(from.begin(), from.end(), next) != from.end()) ++next;
    item = next++;
  }
  c.result(c.transpose(c.tensor(0), order));
}

void unsqueeze(Context& c) {
  c.result(c.unsqueeze(c.tensor(0), {c.dim(c.constant(1), c.rank(0) + 1)}));
}

void expand(Context& c) { c.result(c.expand(c.tensor(0), c.type(0).sizes, c.sizes())); }

// slice(x, dim, start, end, step). ONNX clamps and counts from the end as Python does.
void slice(Context& c) {
  const int64_t axis = c.dim(c.constant(1), c.rank(0));
  const SymInt start = c.has(2) ? c.integer(2) : SymInt(0);
  const SymInt end = c.has(3) ? c.integer(3) : SymInt(kEnd);
  const int64_t step = c.constant(4);
  const SymInt& size = c.type(0).sizes.at(static_cast<size_t>(axis));
  const bool whole = step == 1 && start == SymInt(0) && (end == SymInt(kEnd) || end == size);
  c.result(whole ? c.tensor(0) : c.slice(c.tensor(0), axis, start, end, step));
}

// narrow(x, dim, start, length)
void narrow(Context& c) {
  const int64_t axis = c.dim(c.constant(1), c.rank(0));
  const SymInt& size = c.type(0).sizes.at(static_cast<size_t>(axis));
  const SymInt start = ir::from_front(c.integer(2), size, c.ranges());
  c.result(c.slice(c.tensor(0), axis, start, start + c.integer(3)));
}

void select(Context& c) {
  const int64_t axis = c.dim(c.constant(1), c.rank(0));
  c.result(c.gather(c.tensor(0), c.scalar_length(c.integer(2)), axis));
}

void cat(Context& c) {
  const auto inputs = tensor_list(c);
  // PyTorch ignores tensors of size [0] beside others.
  const auto is_ignored = [&](const ir::Value* value) {
    return value->rank() == 1 && value->sizes().at(0) == SymInt(0) && c.output()->rank() != 1;
  };
  Refs parts;
  for (const ir::Value* value : inputs) {
    if (!is_ignored(value)) parts.push_back(c.cast(c.find(value), c.dtype()));
  }
  if (parts.empty()) return c.fail("it has no tensors");
  c.result(c.concat(parts, c.dim(c.constant(1), c.output()->rank())));
}

// hstack(tensors), vstack(tensors): of tensors that have at least one, or two, dimensions.
void cat_rows(Context& c) {
  const bool horizontal = base_name(c) == "hstack";
  const int64_t rank = c.output()->rank();
  Refs parts;
  for (const ir::Value* value : tensor_list(c)) {
    parts.push_back(c.unsqueeze(c.cast(c.find(value), c.dtype()), iota(rank - value->rank())));
  }
  if (parts.empty()) return c.fail("it has no tensors");
  c.result(c.concat(parts, horizontal && rank > 1 ? 1 : 0));
}

void stack(Context& c) {
  const int64_t axis = c.dim(c.constant(1), c.output()->rank());
  Refs parts;
  for (const Ref& part : c.tensors(0))
    parts.push_back(c.unsqueeze(c.cast(part, c.dtype()), {axis}));
  if (parts.empty()) return c.fail("it has no tensors");
  c.result(c.concat(parts, axis));
}

// Pieces along the axis whose sizes the results have.
void split(Context& c, int64_t axis) {
  const Ref x = c.tensor(0);
  if (c.output_count() == 1) return c.result(x);
  Sizes lengths;
  std::vector<DType> dtypes;
  for (size_t i = 0; i < c.output_count(); ++i) {
    lengths.push_back(c.sizes(i).at(static_cast<size_t>(axis)));
    dtypes.push_back(x.dtype);
  }
  const Refs pieces = c.ops("Split", {x, c.shape(lengths)}, {{"axis", axis}}, dtypes);
  for (size_t i = 0; i < pieces.size(); ++i) c.result(pieces.at(i), i);
}

// tensor_split.indices(x, indices, dim): where they fall, pieces overlap or have no elements.
void tensor_split(Context& c) {
  const int64_t axis = c.dim(c.constant(2), c.rank(0));
  SymInt total = 0;
  for (size_t i = 0; i < c.output_count(); ++i) {
    total = total + c.sizes(i).at(static_cast<size_t>(axis));
  }
  if (total == c.type(0).sizes.at(static_cast<size_t>(axis))) return split(c, axis);
  const Sizes places = c.integers(1);
  const Ref x = c.tensor(0);
  for (size_t i = 0; i < c.output_count(); ++i) {
    const SymInt start = i == 0 ? SymInt(0) : places.at(i - 1);
    c.result(c.slice(x, axis, start, i < places.size() ? places[i] : SymInt(kEnd)), i);
  }
}

// split(x, sizes or size or count, dim)
void split_rule(Context& c) { split(c, c.dim(c.constant(2), c.rank(0))); }

void unbind(Context& c) {
  const int64_t axis = c.dim(c.constant(1), c.rank(0));
  const Ref x = c.tensor(0);
  for (size_t i = 0; i < c.output_count(); ++i) {
    if (c.is_used(i)) {
      c.result(c.gather(x, c.scalar(static_cast<int64_t>(i), DType::kInt64), axis), i);
    }
  }
}

// repeat(x, repeats) and tile, which may have fewer repeats than dimensions.
void repeat(Context& c) {
  Sizes repeats = c.integers(1);
  Ref x = c.tensor(0);
  const auto rank = static_cast<size_t>(c.rank(0));
  if (repeats.size() < rank) repeats.insert(repeats.begin(), rank - repeats.size(), 1);
  if (repeats.size() > rank) x = c.unsqueeze(x, iota(static_cast<int64_t>(repeats.size() - rank)));
  c.result(repeats.empty() ? x : c.op("Tile", {x, c.shape(repeats)}));
}

// repeat_interleave.self_int(x, repeats, dim)
void repeat_interleave(Context& c) {
  Ref x = c.tensor(0);
  Sizes sizes = c.type(0).sizes;
  int64_t axis = 0;
  if (c.has(2)) {
    axis = c.dim(c.constant(2), c.rank(0));
  } else {
    sizes = {ir::numel(sizes)};
    x = c.reshape(x, c.type(0).sizes, sizes);
  }
  const SymInt count = c.integer(1);
  Sizes wide(sizes.size() + 1, 1);
  wide.at(static_cast<size_t>(axis) + 1) = count;
  x = c.op("Expand", {c.unsqueeze(x, {axis + 1}), c.shape(wide)});
  c.result(c.reshape(x, {}, c.sizes()));
}

void flip(Context& c) {
  const auto axes = c.dims(1, c.rank(0), false);
  if (axes.empty()) return c.result(c.tensor(0));
  const std::vector<int64_t> minus_one(axes.size(), -1);
  const std::vector<int64_t> least(axes.size(), std::numeric_limits<int64_t>::min());
  c.result(c.op("Slice",
                {c.tensor(0), c.ints(minus_one), c.ints(least), c.ints(axes), c.ints(minus_one)}));
}

Ref roll_one(Context& c, const Ref& x, int64_t axis, const SymInt& shift, const SymInt& size) {
  // What comes first was at -shift mod size.
  const SymInt start = SymInt::mod(-shift, size);
  if (start == SymInt(0)) return x;
  return c.concat({c.slice(x, axis, start, kEnd), c.slice(x, axis, 0, start)}, axis);
}

// roll(x, shifts, dims); no dims: of the flattened tensor.
void roll(Context& c) {
  const Sizes shifts = c.integers(1);
  const Sizes& sizes = c.type(0).sizes;
  const auto axes = c.dims(2, c.rank(0), false);
  Ref x = c.tensor(0);
  if (std::find(sizes.begin(), sizes.end(), SymInt(0)) != sizes.end()) return c.result(x);
  if (axes.empty()) {
    const Sizes flat = {ir::numel(sizes)};
    x = roll_one(c, c.reshape(x, sizes, flat), 0, shifts.empty() ? SymInt(0) : shifts.at(0),
                 flat.at(0));
    return c.result(c.reshape(x, flat, sizes));
  }
  for (size_t i = 0; i < axes.size() && i < shifts.size(); ++i) {
    x = roll_one(c, x, axes.at(i), shifts.at(i), sizes.at(static_cast<size_t>(axes.at(i))));
  }
  c.result(x);
}

// The elements at `index` (any rank) of the flattened tensor.
Ref take(Context& c, const Ref& x, const Ref& index) {
  return c.gather(c.op("Reshape", {x, c.ints({-1})}), index, 0);
}

// offset + sum of position * stride over the dimensions
Ref strided_index(Context& c, const Sizes& sizes, const Sizes& strides, const SymInt& offset) {
  Ref index = c.scalar_length(offset);
  for (size_t i = 0; i < sizes.size(); ++i) {
    Ref position = c.range(sizes.at(i));
    if (strides.at(i) != SymInt(1)) position = c.mul(position, c.length(strides.at(i)));
    const auto behind = static_cast<int64_t>(sizes.size() - 1 - i);
    index = c.add(index, c.unsqueeze(position, iota(behind, 1)));
  }
  return index;
}

// as_strided(x, size, stride, offset), of a tensor that counts as contiguous.
void as_strided(Context& c) {
  const Sizes& from = c.type(0).sizes;
  const Sizes& sizes = c.sizes();
  const Sizes strides = c.integers(2);
  const SymInt offset = c.has(3) ? c.integer(3) : SymInt(0);
  if (strides.size() != sizes.size()) return c.fail("its sizes and strides do not match");
  if (offset == SymInt(0) && strides == ir::contiguous_strides(sizes) &&
      ir::numel(sizes) == ir::numel(from)) {
    return view(c);
  }
  c.result(take(c, c.tensor(0), strided_index(c, sizes, strides, offset)));
}

// The diagonal of dimensions a and b becomes the last dimension.
void take_diagonal(Context& c, int64_t offset, int64_t a, int64_t b) {
  const int64_t rank = c.rank(0);
  std::vector<int64_t> order;
  for (int64_t i = 0; i < rank; ++i) {
    if (i != a && i != b) order.push_back(i);
  }
  order.push_back(a);
  order.push_back(b);
  const Sizes& from = c.type(0).sizes;
  Sizes flat;
  for (int64_t i = 0; i < rank - 2; ++i) {
    flat.push_back(from.at(static_cast<size_t>(order.at(static_cast<size_t>(i)))));
  }
  const SymInt rows = from.at(static_cast<size_t>(a));
  const SymInt columns = from.at(static_cast<size_t>(b));
  flat.push_back(rows * columns);
  const SymInt start = offset >= 0 ? SymInt(offset) : columns * -offset;
  const Ref index =
      strided_index(c, {c.sizes().at(static_cast<size_t>(rank - 2))}, {columns + 1}, start);
  const Ref x = c.reshape(c.transpose(c.tensor(0), order), {}, flat);
  c.result(c.gather(x, index, rank - 2));
}

// diagonal(x, offset, dim1, dim2)
void diagonal(Context& c) {
  const int64_t rank = c.rank(0);
  take_diagonal(c, c.constant(1), c.dim(c.constant(2), rank), c.dim(c.constant(3), rank));
}

// The last dimension becomes the diagonal of dimensions a and b of the result.
void put_diagonal(Context& c, int64_t offset, int64_t a, int64_t b) {
  const int64_t rank = c.output()->rank();
  const SymInt size = c.sizes().at(static_cast<size_t>(a));
  const int64_t extra = offset < 0 ? -offset : offset;
  Sizes pads(2 * static_cast<size_t>(rank - 1), 0);
  pads.at(pads.size() - 1) = extra;
  const Ref x = c.op("Pad", {c.tensor(0), c.shape(pads), c.number_like(0, c.tensor(0))});
  // Above the main diagonal a row tells the element, below it a column.
  const Ref spread = c.unsqueeze(x, {offset < 0 ? rank - 2 : rank - 1});
  const Ref row = c.unsqueeze(c.range(size), {1});
  const Ref column = c.unsqueeze(c.range(size), {0});
  const Ref mask = c.compare("Equal", c.sub(column, row), static_cast<double>(offset));
  std::vector<int64_t> order = iota(rank - 2);
  if (a == b) return c.fail("its two dimensions are the same");
  for (int64_t i : {std::min(a, b), std::max(a, b)}) {
    order.insert(order.begin() + i, i == a ? rank - 2 : rank - 1);
  }
  c.result(c.transpose(c.where(mask, spread, c.number_like(0, x)), order));
}

// diag_embed(x, offset, dim1, dim2)
void diag_embed(Context& c) {
  const int64_t rank = c.output()->rank();
  put_diagonal(c, c.constant(1), c.dim(c.constant(2), rank), c.dim(c.constant(3), rank));
}

// diag(x, offset): of a matrix, or of a vector
void diag(Context& c) {
  if (c.rank(0) == 1) return put_diagonal(c, c.constant(1), 0, 1);
  take_diagonal(c, c.constant(1), 0, 1);
}

// unfold(x, dim, size, step): windows, their elements as the last dimension.
void unfold(Context& c) {
  const int64_t rank = c.rank(0);
  if (rank == 0) return c.fail("it has no dimension to unfold");
  const int64_t axis = c.dim(c.constant(1), rank);
  const SymInt& windows = c.sizes().at(static_cast<size_t>(axis));
  const Ref index = strided_index(c, {windows, c.constant(2)}, {c.constant(3), 1}, 0);
  const Ref x = c.gather(c.tensor(0), index, axis);
  // [..., windows, size, ...] -> [..., windows, ..., size]
  std::vector<int64_t> order = iota(rank + 1);
  order.erase(order.begin() + axis + 1);
  order.push_back(axis + 1);
  c.result(c.transpose(x, order));
}

// pixel_shuffle(x, r): [*, C*r*r, H, W] -> [*, C, H*r, W*r]
void pixel_shuffle(Context& c) {
  const int64_t r = c.constant(1);
  const Sizes& from = c.type(0).sizes;
  const Sizes& to = c.sizes();
  const size_t n = from.size();
  if (n < 3) return c.fail("its input has fewer than 3 dimensions");
  if (r == 1) return c.result(c.tensor(0));
  const SymInt batch = ir::numel(std::span(from).first(n - 3));
  const Ref parts =
      c.reshape(c.tensor(0), {}, {batch, to.at(n - 3), r, r, from.at(n - 2), from.at(n - 1)});
  c.result(c.reshape(c.transpose(parts, {0, 1, 4, 2, 5, 3}), {}, to));
}

void pixel_unshuffle(Context& c) {
  const int64_t r = c.constant(1);
  const Sizes& from = c.type(0).sizes;
  const Sizes& to = c.sizes();
  const size_t n = from.size();
  if (n < 3) return c.fail("its input has fewer than 3 dimensions");
  if (r == 1) return c.result(c.tensor(0));
  const SymInt batch = ir::numel(std::span(from).first(n - 3));
  const Ref parts =
      c.reshape(c.tensor(0), {}, {batch, from.at(n - 3), to.at(n - 2), r, to.at(n - 1), r});
  c.result(c.reshape(c.transpose(parts, {0, 1, 3, 5, 2, 4}), {}, to));
}

void channel_shuffle(Context& c) {
  const Sizes& sizes = c.type(0).sizes;
  const auto groups = c.integer(1).constant();
  if (!groups || *groups <= 0) return c.fail("the number of groups is not known");
  const SymInt rest = ir::numel(tail(sizes, 2));
  const Ref parts = c.reshape(c.tensor(0), {},
                              {sizes.at(0), *groups, SymInt::floordiv(sizes.at(1), *groups), rest});
  c.result(c.reshape(c.transpose(parts, {0, 2, 1, 3}), {}, sizes));
}

void meshgrid(Context& c) {
  const auto inputs = tensor_list(c);
  const bool xy = c.has(1) && c.text(1) == "xy" && inputs.size() > 1;
  const auto rank = static_cast<int64_t>(inputs.size());
  Refs results;
  for (int64_t i = 0; i < rank; ++i) {
    const ir::Value* value = inputs.at(static_cast<size_t>(i));
    const int64_t axis = xy && i < 2 ? 1 - i : i;
    std::vector<int64_t> axes = iota(rank);
    axes.erase(axes.begin() + axis);
    const Ref x = value->rank() == 0 ? c.unsqueeze(c.find(value), {0}) : c.find(value);
    Sizes from(inputs.size(), 1);
    from.at(static_cast<size_t>(axis)) = c.sizes().at(static_cast<size_t>(axis));
    results.push_back(c.expand(c.unsqueeze(x, axes), from, c.sizes()));
  }
  for (size_t i = 0; i < results.size(); ++i) c.result(results.at(i), i);
}

void broadcast_tensors(Context& c) {
  const auto inputs = tensor_list(c);
  for (size_t i = 0; i < inputs.size(); ++i) {
    c.result(c.expand(c.find(inputs.at(i)), inputs.at(i)->sizes(), c.sizes(i)), i);
  }
}

void triangle(Context& c) {
  if (c.rank(0) < 2) return c.fail("it has no matrices");
  const bool upper = base_name(c) == "triu";
  const Ref x = c.tensor(0);
  const Ref diagonal = c.scalar_length(c.integer(1));
  if (is_floating_point(x.dtype)) {
    return c.result(c.op("Trilu", {x, diagonal}, {{"upper", upper ? 1 : 0}}));
  }
  // Runtimes take Trilu of some integers only, or in float32.
  const size_t rank = c.sizes().size();
  const Ref row = c.add(c.unsqueeze(c.range(c.sizes().at(rank - 2)), {1}), diagonal);
  const Ref column = c.unsqueeze(c.range(c.sizes().at(rank - 1)), {0});
  const Ref kept = c.compare(upper ? "GreaterOrEqual" : "LessOrEqual", column, row);
  c.result(x.dtype == DType::kBool ? c.op("And", {x, kept})
                                   : c.where(kept, x, c.number_like(0, x)));
}

constexpr Entry kShapeRules[] = {
    {"aten.view aten.reshape aten._unsafe_view aten.flatten.using_ints aten.unflatten.int "
     "aten.squeeze aten.squeeze.dim aten.squeeze.dims aten.view_as aten.reshape_as aten.ravel "
     "aten.atleast_1d aten.atleast_2d aten.view_copy aten.squeeze_copy.dim aten.squeeze_copy.dims",
     view},
    {"aten.permute aten.permute_copy", permute},
    {"aten.transpose.int aten.swapaxes aten.swapdims aten.t aten.mT aten.adjoint "
     " aten.transpose_copy.int",
     transpose},
    {"aten.movedim.int aten.movedim.intlist aten.moveaxis.int aten.moveaxis.intlist", movedim},
    {"aten.unsqueeze aten.unsqueeze_copy", unsqueeze},
    {"aten.expand aten.expand_as aten.broadcast_to aten.expand_copy", expand},
    {"aten.slice.Tensor aten.slice_copy.Tensor", slice},
    {"aten.narrow aten.narrow_copy", narrow},
    {"aten.select.int aten.select_copy.int", select},
    {"aten.cat aten.concat aten.concatenate", cat},
    {"aten.hstack aten.vstack", cat_rows},
    {"aten.stack", stack},
    {"aten.split.Tensor aten.split.sizes aten.split_with_sizes aten.chunk "
     "aten.tensor_split.sections aten.split_with_sizes_copy",
     split_rule},
    {"aten.tensor_split.indices", tensor_split},
    {"aten.unbind.int", unbind},
    {"aten.repeat aten.tile", repeat},
    {"aten.repeat_interleave.self_int", repeat_interleave},
    {"aten.flip", flip},
    {"aten.roll", roll},
    {"aten.as_strided aten.as_strided_copy", as_strided},
    {"aten.diagonal aten.diagonal_copy", diagonal},
    {"aten.diag_embed", diag_embed, "bools"},
    {"aten.diag", diag, "vectors of bools"},
    {"aten.unfold aten.unfold_copy", unfold},
    {"aten.pixel_shuffle", pixel_shuffle},
    {"aten.pixel_unshuffle", pixel_unshuffle},
    {"aten.channel_shuffle", channel_shuffle},
    {"aten.meshgrid aten.meshgrid.indexing", meshgrid},
    {"aten.broadcast_tensors", broadcast_tensors},
    {"aten.tril aten.triu", triangle},
};

}  // namespace

std::span<const Entry> shape_rules() { return kShapeRules; }

}  // namespace slipway::onnx
