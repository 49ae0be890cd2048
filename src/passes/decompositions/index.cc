// Reading by index, and finding indices.
#include <algorithm>
#include <bit>
#include <limits>
#include <optional>

#include "base/half.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::Scalar;
using ir::SymInt;
using ir::Value;

bool is_mask(const Value* index) {
  return index->dtype() == DType::kBool || index->dtype() == DType::kUInt8;
}

// Indices as the kernels take them: bool masks, int32 or int64.
std::vector<Value*> indices(Context& c) {
  auto list = c.tensors(1);
  for (Value*& index : list) {
    if (!index) continue;
    if (index->dtype() == DType::kUInt8) {
      index = c.build.ne(index, 0);
    } else if (!is_mask(index) && index->dtype() != DType::kInt32) {
      index = c.build.to_dtype(index, DType::kInt64);
    }
  }
  return list;
}

Values index(Context& c) {
  Value* x = c.tensor(0);
  auto list = indices(c);
  if (std::all_of(list.begin(), list.end(), [](Value* i) { return !i; })) return {x};
  if (c.op() == "aten.index.Tensor" && list == c.tensors(1)) return {};
  return {c.build.call("aten.index.Tensor", {x, list}, c.dtype(), c.sizes())};
}

// Values as ExecuTorch's in-place kernel takes them: where one dimension has a vector of indices,
// they must not need broadcasting.
Value* broadcast_values(Context& c, const std::vector<Value*>& list, Value* values) {
  ir::TensorType place = c.tensor(0)->type();
  int64_t used = 0;
  for (size_t i = 0; i < list.size() && i < place.sizes.size(); ++i) {
    if (!list.at(i)) continue;
    if (is_mask(list.at(i)) || list.at(i)->rank() != 1) return values;
    place.sizes.at(i) = list.at(i)->sizes().at(0);
    ++used;
  }
  return used == 1 && values->sizes() != place.sizes ? c.build.expand(values, place.sizes) : values;
}

Values index_put(Context& c) {
  Value* x = c.tensor(0);
  const auto list = indices(c);
  Value* values = broadcast_values(c, list, c.build.to_dtype(c.tensor(2), x->dtype()));
  if (c.op() == "aten.index_put.default" && list == c.tensors(1) && values == c.tensor(2))
    return {};
  return {
      c.build.call("aten.index_put.default", {x, list, values, c.flag(3)}, c.dtype(), c.sizes())};
}

Value* vector_index(Context& c, size_t i) {
  Value* index = c.tensor(i);
  if (index->dtype() != DType::kInt32) index = c.build.to_dtype(index, DType::kInt64);
  return index->rank() == 0 ? c.build.view(index, {1}) : index;
}

// [None, ..., index]: the places that index_copy and its like write.
Value* put_along(Context& c, Value* values, bool accumulate) {
  Value* x = c.tensor(0);
  std::vector<Value*> list(c.dim(c.constant(1), x->rank()), nullptr);
  list.push_back(vector_index(c, 2));
  Value* whole = x->rank() == 0 ? c.build.view(x, {1}) : x;
  Value* result = c.build.call("aten.index_put.default", {whole, list, values, accumulate},
                               whole->dtype(), whole->sizes());
  return x->rank() == 0 ? c.build.view(result, {}) : result;
}

Value* source(Context& c) {
  Value* values = c.build.to_dtype(c.tensor(3), c.dtype());
  if (values->rank() == c.tensor(0)->rank() || c.tensor(0)->rank() == 0) return values;
  return c.build.unsqueeze(values, c.dim(c.constant(1), c.tensor(0)->rank()));
}

Values index_copy(Context& c) { return {put_along(c, source(c), false)}; }

Values index_add(Context& c) {
  Value* values = source(c);
  const auto alpha = ir::to_scalar(c.arg(4));
  if (alpha && *alpha != ir::Scalar(SymInt(1))) values = c.build.mul(values, *alpha);
  return {put_along(c, values, true)};
}

Values index_fill(Context& c) {
  Value* value = c.is_tensor(3) ? c.build.to_dtype(c.tensor(3), c.dtype())
                                : c.build.scalar_tensor(c.scalar(3), c.dtype());
  return {put_along(c, value, false)};
}

Values index_select(Context& c) {
  Value* x = c.tensor(0);
  Value* index = vector_index(c, 2);
  if (x->rank() == 0) return {c.build.view(c.build.expand(c.build.view(x, {1}), {1}), c.sizes())};
  if (index == c.tensor(2)) return {};
  return {
      c.build.call("aten.index_select.default", {x, c.integer(1), index}, c.dtype(), c.sizes())};
}

Values take(Context& c) {
  Value* x = c.tensor(0);
  Value* index = c.build.to_dtype(c.tensor(1), DType::kInt64);
  const SymInt count = index->type().numel();
  Value* flat = c.build.view(x, {x->type().numel()});
  Value* list = c.build.view(index, {count});
  // Negative indices count from the end.
  list = c.build.where(c.build.lt(list, 0), c.build.add(list, x->type().numel()), list);
  return {c.build.view(c.build.index_select(flat, 0, list), c.sizes())};
}

// (self, index, source, accumulate)
Values put(Context& c) {
  Value* x = c.tensor(0);
  const std::vector<SymInt> list = {c.tensor(1)->type().numel()};
  Value* index = c.build.view(c.build.to_dtype(c.tensor(1), DType::kInt64), list);
  Value* values = c.build.view(c.build.to_dtype(c.tensor(2), x->dtype()), list);
  Value* flat = c.build.view(x, {x->type().numel()});
  return {c.build.view(c.build.index_put(flat, {index}, values, c.flag(3)), c.sizes())};
}

Values take_along_dim(Context& c) {
  Value* x = c.tensor(0);
  Value* index = c.build.to_dtype(c.tensor(1), DType::kInt64);
  if (!c.has(2)) {
    Value* flat = c.build.view(x, {x->type().numel()});
    return {c.build.gather(flat, 0, c.build.view(index, {index->type().numel()}))};
  }
  if (x->rank() == 0) return c.unsupported("a tensor without dimensions has none to take along");
  const int64_t dim = c.dim(c.constant(2), x->rank());
  std::vector<SymInt> whole = c.sizes();
  whole.at(dim) = x->sizes().at(dim);
  return {c.build.gather(c.build.expand(x, whole), dim, c.build.expand(index, c.sizes()))};
}

Values gather(Context& c) {
  // The kernel compares the sizes of an index without elements, too.
  const bool is_empty = std::any_of(c.sizes().begin(), c.sizes().end(),
                                    [](const SymInt& size) { return size == SymInt(0); });
  if (is_empty) return {c.build.zeros(c.sizes(), c.dtype())};
  if (c.tensor(2)->dtype() == DType::kInt64 && c.tensor(0)->rank() > 0) return {};
  Value* index = c.build.to_dtype(c.tensor(2), DType::kInt64);
  Value* x = c.tensor(0);
  if (x->rank() == 0) {
    x = c.build.view(x, {1});
    Value* flat = c.build.view(index, {index->type().numel()});
    return {c.build.view(c.build.gather(x, 0, flat), c.sizes())};
  }
  return {c.build.gather(x, c.constant(1), index)};
}

Values masked_scatter(Context& c) {
  Value* mask = c.tensor(1);
  if (mask->sizes() == c.sizes() && c.tensor(0)->sizes() == c.sizes()) return {};
  return {c.build.call(
      "aten.masked_scatter.default",
      {c.build.expand(c.tensor(0), c.sizes()), c.build.expand(mask, c.sizes()), c.tensor(2)},
      c.dtype(), c.sizes())};
}

// One vector of places for each dimension.
Values nonzero_by_dim(Context& c) {
  Value* x = c.tensor(0);
  const SymInt count = c.sizes().at(0);
  Value* places = c.build.call("aten.nonzero.default", {x}, DType::kInt64,
                               {count, SymInt(static_cast<int64_t>(c.output_count()))});
  Values values;
  for (size_t i = 0; i < c.output_count(); ++i) {
    values.push_back(c.build.select(places, 1, SymInt(static_cast<int64_t>(i))));
  }
  return values;
}

// (self, size, fill_value): as many places as are asked for. Each element that is not 0 goes to the
// row of its number, or to one behind all others.
Values nonzero_static(Context& c) {
  Value* x = c.tensor(0);
  const SymInt count = c.sizes().at(0);
  const SymInt size = x->type().numel();
  Value* is_there = c.build.ne(c.build.view(x, {size}), 0);
  Value* number = c.build.cumsum(c.build.to_dtype(is_there, DType::kInt64), 0);
  number = c.build.clamp(c.build.sub(number, 1), std::nullopt, count);
  number = c.build.where(is_there, number, c.build.scalar_tensor(count, DType::kInt64));
  Value* flat = c.build.index_put(c.build.full({count + 1}, -1, DType::kInt64), {number},
                                  c.build.arange(size));
  flat = c.build.narrow(flat, 0, 0, count);
  if (x->rank() == 0) return {c.build.zeros(c.sizes(), DType::kInt64)};
  Value* is_missing = c.build.lt(flat, 0);
  std::vector<Value*> places(x->rank());
  for (int64_t d = x->rank() - 1; d >= 0; --d) {
    // A dimension of nothing has no places.
    const SymInt extent = SymInt::max(x->sizes().at(d), 1);
    Value* place = d > 0 ? c.build.remainder(flat, Scalar(extent)) : flat;
    places.at(d) =
        c.build.masked_fill(place, is_missing, c.has(2) ? c.scalar(2) : Scalar(SymInt(-1)));
    if (d > 0) flat = c.build.div_mode(flat, Scalar(extent), "floor");
  }
  return {c.build.stack(places, 1)};
}

Values argwhere(Context& c) {
  return {c.build.call("aten.nonzero.default", {c.tensor(0)}, c.dtype(), c.sizes())};
}

Values embedding(Context& c) {
  Value* index = c.tensor(1);
  if (index->dtype() == DType::kInt64 || index->dtype() == DType::kInt32) return {};
  return {c.build.embedding(c.tensor(0), c.build.to_dtype(index, DType::kInt64))};
}

// Where an index is that of the padding, which does not count; null where there is none. Only
// aten.embedding_bag counts a negative one from the end; of the others it stands for none.
Value* ignored_entries(Context& c, Value* index, const SymInt& rows) {
  if (!c.has(8)) return nullptr;
  const int64_t padding = c.constant(8);
  if (padding >= 0) return c.build.eq(index, SymInt(padding));
  if (c.op() != "aten.embedding_bag.padding_idx") return nullptr;
  return c.build.eq(index, Scalar(rows + padding));
}

// The bag of each entry is the number of bags behind the first one that begin at it or before it.
// The first one begins at 0, as PyTorch asks for.
Value* bag_of_each(Context& c, const SymInt& entries) {
  Value* offsets = c.build.to_dtype(c.tensor(2), DType::kInt64);
  const SymInt later = SymInt::max(offsets->sizes().at(0) - 1, 0);
  Value* begin = c.build.index_put(c.build.zeros({entries + 1}, DType::kInt64),
                                   {c.build.narrow(offsets, 0, 1, later)},
                                   c.build.ones({later}, DType::kInt64), true);
  return c.build.narrow(c.build.cumsum(begin, 0), 0, 0, entries);
}

// The rows of each bag are added up in order, or their maximum is taken. What is padding goes to a
// bag behind the others.
Values embedding_bag(Context& c) {
  Value* weight = c.tensor(0);
  Value* index = c.tensor(1);
  const int64_t mode = c.has(4) ? c.constant(4) : 0;
  const SymInt entries = index->sizes().at(0);
  // Sums of halves are rounded once.
  const DType dtype = is_half(c.dtype()) ? DType::kFloat32 : c.dtype();
  Value* rows = c.build.to_dtype(c.build.embedding(weight, index), dtype);
  if (Value* factors = c.tensor_or_null(6)) {
    rows = c.build.mul(rows, c.build.unsqueeze(c.build.to_dtype(factors, dtype), 1));
  }
  Value* bag = bag_of_each(c, entries);
  // Beside the bags, what lies past the last offset where that is the end of the last one.
  const SymInt bags = c.sizes().at(0);
  SymInt all = bags + SymInt(c.flag(7) ? 1 : 0);
  if (Value* ignored = ignored_entries(c, index, weight->sizes().at(0))) {
    bag = c.build.where(ignored, c.build.scalar_tensor(all, DType::kInt64), bag);
    all = all + 1;
  }
  Value* nothing = c.build.zeros({all, weight->sizes().at(1)}, dtype);
  Value* result = nullptr;
  if (mode == 2) {
    result = c.build.call("aten.index_reduce.default",
                          {nothing, SymInt(0), bag, rows, std::string("amax"), false}, dtype,
                          nothing->sizes());
  } else {
    Value* wide = c.build.expand(c.build.unsqueeze(bag, 1), rows->sizes());
    result = c.build.scatter_add(nothing, 0, wide, rows);
  }
  if (mode == 1) {
    Value* count =
        c.build.index_put(c.build.zeros({all}, dtype), {bag}, c.build.ones({entries}, dtype), true);
    result = c.build.div(result, c.build.unsqueeze(c.build.clamp(count, 1.0, std::nullopt), 1));
  }
  Values values(c.output_count(), nullptr);
  if (all != bags) result = c.build.narrow(result, 0, 0, bags);
  values.at(0) = c.build.to_dtype(result, c.dtype());
  return values;
}

// So many are compared with each value at once.
constexpr int64_t kFew = 16;

// How many of the numbers, which are in order, lie before each value; a NaN lies behind all. Steps
// halve from a power of two on, and one is taken where the number that it leads to lies before the
// value; as many numbers are added behind the others as the steps may lead to.
Value* rank_by_search(Context& c, Value* numbers, Value* x, bool right, int64_t most) {
  const bool is_line = numbers->rank() == 1;
  const std::vector<SymInt> sizes = x->sizes();
  const SymInt count = last(numbers->sizes());
  const auto end = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(most) + 1));
  numbers =
      c.build.constant_pad_nd(numbers, {0, SymInt(end - 1) - count}, highest(numbers->dtype()));
  if (is_line) x = c.build.view(x, {x->type().numel()});
  Value* rank = c.build.zeros(x->sizes(), DType::kInt64);
  for (int64_t step = end / 2; step > 0; step /= 2) {
    Value* place = c.build.add(rank, step - 1);
    Value* number =
        is_line ? c.build.index_select(numbers, 0, place) : c.build.gather(numbers, -1, place);
    Value* is_before = right ? c.build.le(number, x) : c.build.lt(number, x);
    rank = c.build.add(rank, c.build.mul(is_before, step));
  }
  rank = c.build.clamp(rank, std::nullopt, count);
  return is_line ? c.build.view(rank, sizes) : rank;
}

// How many boundaries lie before each value; all do before NaN.
Value* rank_among(Context& c, Value* boundaries, Value* x, bool right) {
  const SymInt count = last(boundaries->sizes());
  const auto most = c.bounds(count).max;
  const bool may_be_nan = is_floating_point(x->dtype());
  Value* rank = nullptr;
  if (most && *most > kFew && *most < INT32_MAX) {
    rank = rank_by_search(c, boundaries, x, right, *most);
    if (may_be_nan) {
      rank = c.build.where(c.build.isnan(x), c.build.scalar_tensor(count, DType::kInt64), rank);
    }
  } else {
    Value* values = c.build.unsqueeze(x, x->rank());
    if (boundaries->rank() > 1) boundaries = c.build.unsqueeze(boundaries, boundaries->rank() - 1);
    Value* is_before = right ? c.build.le(boundaries, values) : c.build.lt(boundaries, values);
    if (may_be_nan) is_before = c.build.logical_or(is_before, c.build.isnan(values));
    rank = c.build.sum(is_before, {-1});
  }
  return c.build.to_dtype(rank, c.dtype());
}

Values bucketize(Context& c) { return {rank_among(c, c.tensor(1), c.tensor(0), c.flag(3))}; }

Values searchsorted(Context& c) {
  Value* sequence = c.tensor(0);
  if (c.has(5)) {
    sequence = c.build.gather(sequence, -1, c.build.to_dtype(c.tensor(5), DType::kInt64));
  }
  return {rank_among(c, sequence, c.tensor(1), c.flag(3) || c.text(4) == "right")};
}

Values isin(Context& c) {
  Value* x = c.tensor(0);
  Value* elements = c.tensor(1);
  const SymInt number = elements->type().numel();
  const auto most = c.bounds(number).max;
  elements = c.build.view(elements, {number});
  Value* found = nullptr;
  if (most && *most > kFew && *most < INT32_MAX && !c.may_be_empty(number)) {
    // Behind all that is less, the next one is equal or none is.
    if (elements->dtype() == DType::kBool) elements = c.build.to_dtype(elements, DType::kUInt8);
    elements = c.build.topk(elements, number, 0, false).first;
    Value* flat = c.build.view(x, {x->type().numel()});
    Value* next = rank_by_search(c, elements, flat, false, *most);
    next = c.build.clamp(next, std::nullopt, number - 1);
    found = c.build.view(c.build.eq(c.build.index_select(elements, 0, next), flat), c.sizes());
  } else {
    found = c.build.any(c.build.eq(c.build.unsqueeze(x, x->rank()), elements), -1);
  }
  return {c.flag(3) ? c.build.logical_not(found) : found};
}

// With a number on one side.
Values isin_number(Context& c) {
  const bool is_element = c.op() == "aten.isin.Scalar_Tensor";
  Value* x = c.tensor(is_element ? 1 : 0);
  Value* found = c.build.eq(x, c.scalar(is_element ? 0 : 1));
  if (is_element) found = c.build.any(c.build.view(found, {x->type().numel()}), -1);
  return {c.flag(3) ? c.build.logical_not(found) : found};
}

constexpr Entry kIndexRules[] = {
    {"aten.index.Tensor aten._unsafe_index.Tensor", index},
    {"aten.index_put.default aten._unsafe_index_put.default", index_put},
    {"aten.index_copy.default", index_copy},
    {"aten.index_add.default", index_add},
    {"aten.index_fill.int_Scalar aten.index_fill.int_Tensor", index_fill},
    {"aten.index_select.default", index_select},
    {"aten.take.default", take},
    {"aten.put.default", put},
    {"aten.take_along_dim.default", take_along_dim},
    {"aten.gather.default", gather},
    {"aten.masked_scatter.default", masked_scatter},
    {"aten.nonzero_numpy.default aten.where.default", nonzero_by_dim},
    {"aten.nonzero_static.default", nonzero_static},
    {"aten.argwhere.default", argwhere},
    {"aten.embedding.default", embedding},
    {"aten.embedding_bag.default aten.embedding_bag.padding_idx aten._embedding_bag.default "
     "aten._embedding_bag_forward_only.default",
     embedding_bag},
    {"aten.bucketize.Tensor", bucketize},
    {"aten.searchsorted.Tensor", searchsorted},
    {"aten.isin.Tensor_Tensor", isin},
    {"aten.isin.Tensor_Scalar aten.isin.Scalar_Tensor", isin_number},
};

}  // namespace

std::span<const Entry> index_rules() { return kIndexRules; }

}  // namespace slipway::passes::decompositions
