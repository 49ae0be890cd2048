#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <variant>

#include "onnx/ops/common.h"
#include "onnx/ops/index.h"
#include "onnx/ops/kv_cache.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

using ir::SymInt;

Attributes with_reduction(Attributes attributes, const std::string& reduction) {
  if (reduction != "none") attributes.emplace_back("reduction", reduction);
  return attributes;
}

// Along one axis, at positions that are a tensor [n]; `updates` has x's sizes but for n there.
// Few engines have a ScatterND that reduces.
Ref write_rows(Context& c, const Ref& x, const Sizes& sizes, int64_t axis, const Ref& positions,
               const Ref& updates, const std::string& reduction) {
  const Ref index = in_range(c, positions, sizes.at(static_cast<size_t>(axis)));
  if (axis == 0 && reduction == "none") {
    return c.op("ScatterND", {x, c.unsqueeze(index, {1}), updates});
  }
  const auto behind = static_cast<int64_t>(sizes.size()) - 1 - axis;
  const Ref target = c.op("Shape", {updates}, {}, DType::kInt64);
  const Ref wide = c.op("Expand", {c.unsqueeze(index, iota(behind, 1)), target});
  return c.op("ScatterElements", {x, wide, updates}, with_reduction({{"axis", axis}}, reduction));
}

// The positions of negative indices too, which ONNX takes as PyTorch does.
Ref row_index(Context& c, size_t i) {
  const Ref index = c.tensor(i, DType::kInt64);
  return c.rank(i) == 0 ? c.unsqueeze(index, {0}) : index;
}

// where(mask, value, x), for a single mask and a single value: the most common form.
bool put_by_mask(Context& c) {
  const auto indices = c.values(1);
  const auto is_given = [](const ir::Value* value) { return value != nullptr; };
  const auto it = std::find_if(indices.begin(), indices.end(), is_given);
  if (c.flag(3) || std::count_if(indices.begin(), indices.end(), is_given) != 1) return false;
  if ((*it)->dtype() != DType::kBool || c.type(2).numel() != SymInt(1)) return false;
  const Ref x = c.tensor(0);
  const int64_t behind = c.rank(0) - (it - indices.begin()) - (*it)->rank();
  const Ref mask = c.unsqueeze(c.find(*it), iota(behind, (*it)->rank()));
  const Ref value = c.rank(2) == 0 ? c.tensor(2) : c.op("Reshape", {c.tensor(2), c.ints({})});
  c.result(c.where(mask, c.cast(value, x.dtype), x));
  return true;
}

// Values at positions of one axis of a cache.
std::optional<Ref> put_into_cache(Context& c, const IndexList& list, const Ref& values) {
  if (!c.fused("TensorScatter")) return {};
  if (c.flag(3) || list.axes.size() != 1 || list.rank > 1) return {};
  const int64_t axis = list.axes.at(0);
  const ir::Value* positions = c.values(1).at(static_cast<size_t>(axis));
  if (positions->dtype() == DType::kBool) return {};
  const Ref& index = list.indices.at(0);
  if (list.rank == 1) return update_cache(c, axis, positions, index, values, true);
  return update_cache(c, axis, positions, c.unsqueeze(index, {0}), c.unsqueeze(values, {axis}),
                      true);
}

// index_put(x, indices, values, accumulate)
void index_put(Context& c) {
  if (put_by_mask(c)) return;
  const IndexList list = read_indices(c, 1);
  if (list.axes.empty()) return;
  const Ref x = c.tensor(0);
  const Sizes& sizes = c.type(0).sizes;
  const int64_t rank = c.rank(0);
  const std::string reduction = c.flag(3) ? "add" : "none";

  const Ref combined = combine_indices(c, list);
  // The sizes of index()'s result, to which the values are broadcast.
  const Ref broadcast = c.op("Slice", {c.op("Shape", {combined}, {}, DType::kInt64), c.ints({0}),
                                       c.ints({list.rank}), c.ints({0})});
  Sizes before;
  Sizes behind;
  for (int64_t i = 0; i < rank; ++i) {
    if (std::find(list.axes.begin(), list.axes.end(), i) != list.axes.end()) continue;
    const bool in_front = list.adjacent && i < list.axes.front();
    (in_front ? before : behind).push_back(sizes.at(static_cast<size_t>(i)));
  }
  Refs parts;
  if (!before.empty()) parts.push_back(c.shape(before));
  if (list.rank > 0) parts.push_back(broadcast);
  if (!behind.empty()) parts.push_back(c.shape(behind));
  const Ref target = parts.empty() ? c.ints({}) : c.concat(parts, 0);
  const Ref values = c.op("Expand", {c.tensor(2, x.dtype), target});

  if (const auto y = put_into_cache(c, list, values)) return c.result(*y);
  if (list.axes.size() == 1 && list.rank == 1) {
    return c.result(
        write_rows(c, x, sizes, list.axes.at(0), list.indices.at(0), values, reduction));
  }
  const auto result_rank = static_cast<int64_t>(before.size() + behind.size()) + list.rank;
  const Ref updates = c.transpose(values, inverse(result_order(list, result_rank)));
  const auto order = indexed_first(list, rank);
  const Ref y =
      c.op("ScatterND", {c.transpose(x, order), combined, updates}, with_reduction({}, reduction));
  c.result(c.transpose(y, inverse(order)));
}

// index_copy(x, dim, index, source), index_add(x, dim, index, source, alpha)
void index_copy(Context& c) {
  const bool add = base_name(c) == "index_add";
  if (c.rank(0) == 0) return c.fail("a tensor of rank 0 has no dimension to index");
  const int64_t axis = c.dim(c.constant(1), c.rank(0));
  const Ref x = c.tensor(0);
  Ref source = c.tensor(3, x.dtype);
  if (add && c.number(4) != 1.0) source = c.mul(source, c.operand(4, x.dtype));
  const Ref positions = row_index(c, 2);
  if (!add) {
    const auto y = update_cache(c, axis, std::get<ir::Value*>(c.arg(2)), positions, source, false);
    if (y) return c.result(*y);
  }
  c.result(write_rows(c, x, c.type(0).sizes, axis, positions, source, add ? "add" : "none"));
}

// index_fill(x, dim, index, value)
void index_fill(Context& c) {
  if (c.rank(0) == 0) return c.fail("a tensor of rank 0 has no dimension to index");
  const int64_t axis = c.dim(c.constant(1), c.rank(0));
  const Ref x = c.tensor(0);
  const Sizes& sizes = c.type(0).sizes;
  Sizes rows = sizes;
  rows.at(static_cast<size_t>(axis)) = c.rank(2) == 0 ? SymInt(1) : c.type(2).sizes.at(0);
  const Ref source = c.expand(c.operand(3, c.dtype()), {}, rows);
  c.result(write_rows(c, x, sizes, axis, row_index(c, 2), source, "none"));
}

// ScatterElements, for which PyTorch also takes a source larger than the index.
struct Scatter {
  Ref x;
  Ref index;
  Ref source;
  int64_t axis = 0;
  bool is_scalar = false;  // x has rank 0

  Ref apply(Context& c, const Ref& to, const Ref& from, const std::string& reduction) const {
    return c.op("ScatterElements", {to, index, from}, with_reduction({{"axis", axis}}, reduction));
  }
  void finish(Context& c, const Ref& y) const { c.result(is_scalar ? c.squeeze(y, {0}) : y); }
};

// scatter(x, dim, index, source or value)
Scatter scatter_of(Context& c) {
  Scatter s;
  s.is_scalar = c.rank(0) == 0;
  s.axis = c.dim(c.constant(1), c.rank(0));
  s.x = c.tensor(0);
  s.index = c.tensor(2, DType::kInt64);
  Sizes sizes = c.type(2).sizes;
  if (c.rank(2) == 0) {
    s.index = c.unsqueeze(s.index, {0});
    sizes = {1};
  }
  s.index = in_range(c, s.index,
                     s.is_scalar ? SymInt(1) : c.type(0).sizes.at(static_cast<size_t>(s.axis)));
  if (!c.is_tensor(3)) {
    s.source = c.expand(c.operand(3, c.dtype()), {}, sizes);
  } else {
    s.source = c.tensor(3, s.x.dtype);
    if (c.rank(3) == 0) s.source = c.unsqueeze(s.source, {0});
    for (size_t i = 0; i < c.type(3).sizes.size(); ++i) {
      if (c.type(3).sizes.at(i) != sizes.at(i)) {
        s.source = c.slice(s.source, static_cast<int64_t>(i), 0, sizes.at(i));
      }
    }
  }
  if (s.is_scalar) s.x = c.unsqueeze(s.x, {0});
  return s;
}

void scatter(Context& c) {
  const Scatter s = scatter_of(c);
  std::string reduction = "none";
  if (base_name(c) == "scatter_add") reduction = "add";
  if (c.has(4)) {
    const std::string mode = c.text(4);
    reduction = mode == "multiply" ? "mul" : mode;
  }
  s.finish(c, s.apply(c, s.x, s.source, reduction));
}

// scatter_reduce(x, dim, index, source, reduce, include_self)
void scatter_reduce(Context& c) {
  const Scatter s = scatter_of(c);
  const std::string mode = c.text(4);
  const bool include_self = c.flag(5);
  const bool is_float = is_floating_point(s.x.dtype);
  const double infinity = is_float ? std::numeric_limits<double>::infinity() : 1e300;
  std::string reduction = "add";
  double neutral = 0;
  if (mode == "prod") {
    reduction = "mul";
    neutral = 1;
  } else if (mode == "amax" || mode == "amin") {
    reduction = mode == "amax" ? "max" : "min";
    neutral = mode == "amax" ? -infinity : infinity;
  } else if (mode != "sum" && mode != "mean") {
    return c.fail("the reduction '" + mode + "' is not known");
  }
  const auto like = [&](const Ref& tensor, double value) {
    return c.op("Expand",
                {c.number_like(value, tensor), c.op("Shape", {tensor}, {}, DType::kInt64)});
  };
  // Without the old values those places start from what changes nothing.
  const Ref start = include_self ? s.x : s.apply(c, s.x, like(s.source, neutral), "none");
  Ref y = s.apply(c, start, s.source, reduction);
  if (mode == "mean") {
    Ref count = s.apply(c, like(s.x, include_self ? 1 : 0), like(s.source, 1), "add");
    if (!include_self) count = c.op("Max", {count, c.number_like(1, count)});
    y = is_float ? c.div(y, count) : floor_divide(c, y, count);
  }
  s.finish(c, y);
}

// The part of x before and after `src` stays.
Ref replace_slice(Context& c, const Ref& x, const Ref& src, int64_t axis, const SymInt& start,
                  const SymInt& end, const SymInt& size) {
  Refs parts;
  if (start != SymInt(0)) parts.push_back(c.slice(x, axis, 0, start));
  parts.push_back(src);
  if (end != size) {
    parts.push_back(c.slice(x, axis, end, std::numeric_limits<int64_t>::max()));
  }
  return c.concat(parts, axis);
}

SymInt from_front(Context& c, const SymInt& position, const SymInt& size) {
  const auto bounds = position.bounds(c.ranges());
  return bounds.max && *bounds.max < 0 ? SymInt::max(position + size, 0)
                                       : SymInt::min(position, size);
}

// slice_scatter(x, src, dim, start, end, step)
void slice_scatter(Context& c) {
  const int64_t axis = c.dim(c.constant(2), c.rank(0));
  const SymInt& size = c.type(0).sizes.at(static_cast<size_t>(axis));
  const SymInt start = c.has(3) ? from_front(c, c.integer(3), size) : SymInt(0);
  const int64_t step = c.constant(5);
  const SymInt& count = c.type(1).sizes.at(static_cast<size_t>(axis));
  const Ref x = c.tensor(0);
  const Ref src = c.tensor(1, x.dtype);
  if (step == 1) {
    return c.result(replace_slice(c, x, src, axis, start, start + count, size));
  }
  Ref index = c.mul(c.range(count), static_cast<double>(step));
  index = c.add(index, c.length(start));
  c.result(write_rows(c, x, c.type(0).sizes, axis, index, src, "none"));
}

// select_scatter(x, src, dim, index)
void select_scatter(Context& c) {
  const int64_t axis = c.dim(c.constant(2), c.rank(0));
  const SymInt& size = c.type(0).sizes.at(static_cast<size_t>(axis));
  const SymInt index = c.integer(3);
  const auto bounds = index.bounds(c.ranges());
  const SymInt start = bounds.max && *bounds.max < 0 ? index + size : index;
  const Ref x = c.tensor(0);
  const Ref src = c.unsqueeze(c.tensor(1, x.dtype), {axis});
  c.result(replace_slice(c, x, src, axis, start, start + 1, size));
}

constexpr Entry kScatterRules[] = {
    {"aten.index_put aten._unsafe_index_put", index_put, "a mask of rank 0"},
    {"aten.index_copy aten.index_add", index_copy, "tensors of rank 0"},
    {"aten.index_fill.int_Scalar aten.index_fill.int_Tensor", index_fill},
    {"aten.scatter.src aten.scatter.value aten.scatter.reduce aten.scatter.value_reduce "
     "aten.scatter_add",
     scatter},
    {"aten.scatter_reduce.two", scatter_reduce},
    {"aten.slice_scatter", slice_scatter},
    {"aten.select_scatter", select_scatter},
};

}  // namespace

std::span<const Entry> scatter_rules() { return kScatterRules; }

}  // namespace slipway::onnx
