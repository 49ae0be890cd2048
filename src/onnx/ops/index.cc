#include "onnx/ops/index.h"

#include <algorithm>
#include <limits>

#include "base/half.h"
#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

IndexList read_indices(Context& c, size_t i) {
  IndexList list;
  int64_t axis = 0;
  for (const ir::Value* value : c.values(i)) {
    if (!value) {
      ++axis;
      continue;
    }
    const Ref ref = c.find(value);
    if (value->dtype() == DType::kBool || value->dtype() == DType::kUInt8) {
      // One row of positions a dimension of the mask.
      const Ref positions = c.op("NonZero", {c.cast(ref, DType::kBool)}, {}, DType::kInt64);
      if (value->rank() == 0) {
        c.fail("a mask of rank 0 can't be an index");
        return list;
      }
      for (int64_t k = 0; k < value->rank(); ++k) {
        list.axes.push_back(axis++);
        list.indices.push_back(c.gather(positions, c.scalar(k, DType::kInt64), 0));
        list.ranks.push_back(1);
      }
    } else {
      list.axes.push_back(axis++);
      list.indices.push_back(c.cast(ref, DType::kInt64));
      list.ranks.push_back(value->rank());
    }
  }
  if (list.axes.empty()) {
    c.fail("it has no index");
    return list;
  }
  if (list.axes.back() >= c.rank(0)) {
    c.fail("it has more indices than its tensor has dimensions");
    return {};
  }
  list.rank = *std::max_element(list.ranks.begin(), list.ranks.end());
  list.adjacent =
      list.axes.back() - list.axes.front() + 1 == static_cast<int64_t>(list.axes.size());
  return list;
}

Ref in_range(Context& c, const Ref& index, const ir::SymInt& size) {
  if (!c.options().clamp_indices) return index;
  return c.op("Max", {c.op("Min", {index, c.scalar_length(size - 1)}), c.scalar_length(-size)});
}

Ref combine_indices(Context& c, const IndexList& list) {
  Refs indices;
  for (size_t i = 0; i < list.indices.size(); ++i) {
    const auto axis = static_cast<size_t>(list.axes.at(i));
    indices.push_back(in_range(c, list.indices.at(i), c.type(0).sizes.at(axis)));
  }
  if (indices.size() == 1) return c.unsqueeze(indices.at(0), {list.rank});
  // Their sum has the sizes of the broadcast.
  Ref sum = indices.at(0);
  for (size_t i = 1; i < indices.size(); ++i) sum = c.add(sum, indices.at(i));
  const Ref sizes = c.op("Shape", {sum}, {}, DType::kInt64);
  Refs columns;
  for (const Ref& index : indices) {
    columns.push_back(c.unsqueeze(c.op("Expand", {index, sizes}), {list.rank}));
  }
  return c.concat(columns, list.rank);
}

std::vector<int64_t> indexed_first(const IndexList& list, int64_t rank) {
  std::vector<int64_t> order = list.axes;
  for (int64_t i = 0; i < rank; ++i) {
    if (std::find(list.axes.begin(), list.axes.end(), i) == list.axes.end()) order.push_back(i);
  }
  return order;
}

std::vector<int64_t> result_order(const IndexList& list, int64_t rank) {
  std::vector<int64_t> order = iota(rank);
  if (!list.adjacent) return order;
  // The dimensions before the first index come before the broadcast ones.
  std::rotate(order.begin(), order.begin() + list.rank,
              order.begin() + list.rank + list.axes.front());
  return order;
}

std::vector<int64_t> inverse(const std::vector<int64_t>& order) {
  std::vector<int64_t> result(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    result.at(static_cast<size_t>(order.at(i))) = static_cast<int64_t>(i);
  }
  return result;
}

namespace {

using ir::SymInt;

// index.Tensor(x, indices)
void index(Context& c) {
  const IndexList list = read_indices(c, 1);
  if (list.axes.empty()) return;
  const Ref x = c.tensor(0);
  const int64_t rank = c.rank(0);
  if (list.axes.size() == 1) return c.result(c.gather(x, list.indices.at(0), list.axes.at(0)));
  const Ref moved = c.transpose(x, indexed_first(list, rank));
  const Ref y = c.op("GatherND", {moved, combine_indices(c, list)});
  const int64_t result_rank = rank - static_cast<int64_t>(list.axes.size()) + list.rank;
  c.result(c.transpose(y, result_order(list, result_rank)));
}

// index_select(x, dim, index); embedding(weight, indices)
void index_select(Context& c) {
  const int64_t rank = c.rank(0);
  const int64_t axis = c.dim(c.constant(1), rank);
  Ref i = c.tensor(2);
  if (rank == 0) return c.result(c.tensor(0));
  if (c.rank(2) == 0) i = c.unsqueeze(i, {0});
  c.result(c.gather(c.tensor(0), i, axis));
}

void embedding(Context& c) { c.result(c.gather(c.tensor(0), c.tensor(1), 0)); }

// gather(x, dim, index)
void gather(Context& c) {
  if (c.rank(0) == 0) return c.result(c.expand(c.tensor(0), {}, c.sizes()));
  if (c.rank(2) == 0) {
    return c.result(c.gather(c.tensor(0), c.tensor(2), 0));
  }
  const int64_t axis = c.dim(c.constant(1), c.rank(0));
  // The index may be smaller than x elsewhere.
  Ref x = c.tensor(0);
  const Sizes& sizes = c.type(2).sizes;
  for (int64_t i = 0; i < c.rank(2); ++i) {
    const auto at = static_cast<size_t>(i);
    if (i != axis && c.type(0).sizes.at(at) != sizes.at(at)) x = c.slice(x, i, 0, sizes.at(at));
  }
  c.result(c.op("GatherElements", {x, c.tensor(2)}, {{"axis", axis}}));
}

void take(Context& c) {
  c.result(c.gather(c.op("Reshape", {c.tensor(0), c.ints({-1})}), c.tensor(1), 0));
}

void nonzero(Context& c) {
  const Ref x = c.tensor(0, DType::kBool);
  c.result(c.transpose(c.op("NonZero", {x}, {}, DType::kInt64), {1, 0}));
}

void masked_select(Context& c) {
  // Both are broadcast to each other.
  const Ref mask = c.tensor(1, DType::kBool);
  const Ref x = c.tensor(0);
  const Ref ones = c.cast(c.compare("Equal", x, x), DType::kInt32);
  const Ref both = c.op("Or", {mask, c.op("And", {mask, c.cast(ones, DType::kBool)})});
  const Ref sizes = c.op("Shape", {both}, {}, DType::kInt64);
  const Ref wide = c.op("Expand", {x, sizes});
  c.result(c.op("Compress",
                {c.op("Reshape", {wide, c.ints({-1})}), c.op("Reshape", {both, c.ints({-1})})}));
}

// The entries of bags; those that are padding do not count.
struct Bags {
  Ref indices;
  Ref offsets;     // with the end of the last bag, where that is given
  Ref factors;     // absent: 1
  Ref is_padding;  // absent: none is
  SymInt entries;
  SymInt bags;
};

// Where bags begin, in order, the first one at 0: as PyTorch asks for, and ATen too, which ends a
// run otherwise.
Ref in_order(Context& c, const Ref& offsets) {
  const SymInt later = SymInt::max(c.type(2).sizes.at(0) - 1, 0);
  const Ref behind = c.op("Slice", {offsets, c.ints({1}), c.length(later + 1), c.ints({0})});
  const Attributes ascending = {{"axis", int64_t{0}}, {"largest", int64_t{0}}};
  const Refs sorted =
      c.ops("TopK", {behind, c.length(later)}, ascending, {DType::kInt64, DType::kInt64});
  return c.concat({c.ints({0}), sorted.at(0)}, 0);
}

// What ATen adds up. For that one each bag begins before the end, so an entry more is in a bag of
// its own.
Ref added_up(Context& c, const Bags& b, const Ref& table, const Ref& indices) {
  const Ref one_more = c.concat({indices, c.ints({0})}, 0);
  const Ref starts = c.concat({b.offsets, c.length(b.entries)}, 0);
  const Ref sums = c.op("ATen", {table, one_more, starts},
                        {{"operator", std::string("embedding_bag")}, {"mode", int64_t{0}}});
  return c.slice(sums, 0, 0, b.bags);
}

// Sums as means of bags of so many entries; of none it is the sum, which is 0.
Ref as_means(Context& c, const Ref& sum, const Ref& size) {
  return c.div(sum, c.op("Max", {size, c.number_like(1, size)}));
}

// Sums, or means, by that operator. What is padding is a row of zeros behind the last one. Where
// entries have factors, their rows are a table: it takes no such factors in a number that varies.
Ref sums_of_bags(Context& c, const Bags& b, bool is_mean) {
  Ref table = c.tensor(0);
  Ref indices = b.indices;
  const Sizes& sizes = c.type(0).sizes;
  if (b.is_padding.present()) {
    const Ref zeros = c.expand(c.number_like(0, table), {}, {SymInt(1), sizes.at(1)});
    table = c.concat({table, zeros}, 0);
    indices = c.where(b.is_padding, c.scalar_length(sizes.at(0)), indices);
  }
  if (b.factors.present()) {
    table = c.mul(c.gather(table, indices, 0), c.unsqueeze(b.factors, {1}));
    indices = c.range(b.entries);
  }
  Ref sum = added_up(c, b, table, indices);
  if (!is_mean) return sum;
  const Ref zero_or_one = c.cast(c.op("Reshape", {c.ints({0, 1}), c.ints({2, 1})}), table.dtype);
  const Ref counted = b.is_padding.present()
                          ? c.cast(c.logical_not(b.is_padding), DType::kInt64)
                          : c.expand(c.scalar(int64_t{1}, DType::kInt64), {}, {b.entries});
  return as_means(c, sum, added_up(c, b, zero_or_one, counted));
}

// Numbers, one for each entry or a row for each, added up or the greatest taken bag by bag; behind
// the bags is one for what is in none of them. Each begins with `start`.
Ref scattered(Context& c, const Bags& b, const Ref& bag, const Ref& from, double start,
              const char* reduction, const Sizes& behind) {
  Sizes sizes = {b.bags + 1};
  sizes.insert(sizes.end(), behind.begin(), behind.end());
  const Ref to = c.expand(c.number_like(start, from), {}, sizes);
  Ref index = bag;
  if (!behind.empty()) {
    index = c.op("Expand", {c.unsqueeze(bag, {1}), c.op("Shape", {from}, {}, DType::kInt64)});
  }
  const Ref all = c.op("ScatterElements", {to, index, from},
                       {{"axis", int64_t{0}}, {"reduction", std::string(reduction)}});
  return c.slice(all, 0, 0, b.bags);
}

// The bag of each entry: how many of those behind the first one begin at it or before it.
Ref bag_of_each(Context& c, const Bags& b) {
  const SymInt later = SymInt::max(c.type(2).sizes.at(0) - 1, 0);
  const Ref begin = c.op("Slice", {b.offsets, c.ints({1}), c.length(later + 1), c.ints({0})});
  const Ref none = c.expand(c.scalar(int64_t{0}, DType::kInt64), {}, {b.entries + 1});
  const Ref one = c.expand(c.scalar(int64_t{1}, DType::kInt64), {}, {later});
  const Ref begins = c.op("ScatterElements", {none, in_range(c, begin, b.entries + 1), one},
                          {{"axis", int64_t{0}}, {"reduction", std::string("add")}});
  const Ref bag =
      c.slice(c.op("CumSum", {begins, c.scalar(int64_t{0}, DType::kInt64)}), 0, 0, b.entries);
  return b.is_padding.present() ? c.where(b.is_padding, c.scalar_length(b.bags), bag) : bag;
}

// By scatters that add, or that take the greatest number, where NaN may be lost: those are counted.
Ref scattered_bags(Context& c, const Bags& b, int64_t mode) {
  const Ref bag = bag_of_each(c, b);
  Ref rows = c.gather(c.tensor(0), b.indices, 0);
  const DType dtype = rows.dtype;
  // Sums of halves are rounded once.
  if (is_half(dtype)) rows = c.cast(rows, DType::kFloat32);
  if (b.factors.present()) rows = c.mul(rows, c.unsqueeze(c.cast(b.factors, rows.dtype), {1}));
  const Sizes width = {c.type(0).sizes.at(1)};
  const auto size = [&] {
    const Ref each = c.expand(c.number_like(1, rows), {}, {b.entries});
    return c.unsqueeze(scattered(c, b, bag, each, 0, "add", {}), {1});
  };
  Ref result;
  if (mode == 2) {
    const double lowest = -std::numeric_limits<double>::infinity();
    const Ref largest = scattered(c, b, bag, rows, lowest, "max", width);
    const Ref is_nan = c.op("IsNaN", {rows}, {}, DType::kBool);
    const Ref nans = scattered(c, b, bag, c.cast(is_nan, rows.dtype), 0, "add", width);
    const Ref known = c.where(c.compare("Greater", size(), 0.0), largest, c.number_like(0, rows));
    result = c.where(c.compare("Greater", nans, 0.0),
                     c.number_like(std::numeric_limits<double>::quiet_NaN(), rows), known);
  } else {
    result = scattered(c, b, bag, rows, 0, "add", width);
    if (mode == 1) result = as_means(c, result, size());
  }
  return c.cast(result, dtype);
}

// _embedding_bag(weight, indices, offsets, scale_grad, mode, sparse, per_sample_weights,
// include_last_offset, padding_idx)
void embedding_bag(Context& c) {
  for (size_t i : {1, 2, 3}) {
    if (c.is_used(i)) return c.fail("only its first result can be computed");
  }
  const int64_t mode = c.constant(4);
  int64_t padding = c.has(8) ? c.constant(8) : -1;
  if (padding < 0 && overload_name(c) == "padding_idx" && c.has(8)) {
    const auto count = c.type(0).sizes.at(0).constant();
    if (!count) return c.fail("its padding counts from an end that is known only at run time");
    padding += *count;
  }
  Bags bags;
  bags.indices = c.tensor(1, DType::kInt64);
  bags.offsets = c.tensor(2, DType::kInt64);
  if (c.has(6)) bags.factors = c.tensor(6);
  if (padding >= 0) {
    bags.is_padding = c.compare("Equal", bags.indices, static_cast<double>(padding));
  }
  bags.entries = c.type(1).sizes.at(0);
  bags.bags = c.sizes().at(0);
  if (mode == 2 || !c.fused("ATen")) return c.result(scattered_bags(c, bags, mode));
  bags.offsets = in_order(c, bags.offsets);
  c.result(sums_of_bags(c, bags, mode == 1));
}

// one_hot(x, classes)
void one_hot(Context& c) {
  const Ref classes = c.range(c.sizes().at(c.sizes().size() - 1));
  c.result(c.cast(c.compare("Equal", c.unsqueeze(c.tensor(0, DType::kInt64), {c.rank(0)}), classes),
                  DType::kInt64));
}

constexpr Entry kIndexRules[] = {
    {"aten.index.Tensor aten._unsafe_index.Tensor", index, "a mask of rank 0"},
    {"aten.index_select", index_select},
    {"aten.embedding", embedding},
    {"aten.gather", gather},
    {"aten.take", take},
    {"aten.nonzero", nonzero},
    {"aten.masked_select", masked_select},
    {"aten._embedding_bag aten._embedding_bag_forward_only aten.embedding_bag "
     "aten.embedding_bag.padding_idx",
     embedding_bag, "results besides the first"},
    {"aten.one_hot", one_hot},
};

}  // namespace

std::span<const Entry> index_rules() { return kIndexRules; }

}  // namespace slipway::onnx
