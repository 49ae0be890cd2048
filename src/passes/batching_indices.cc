// Reading and writing by index.
#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

#include "ir/arguments.h"
#include "passes/batching.h"

namespace slipway::passes {
namespace {

using ir::SymInt;
using ir::Value;
using Values = Batched::Values;
using Sizes = std::vector<SymInt>;

// The indices of a tensor: one for each of its first dimensions, null for a whole one. The
// dimensions that they broadcast to lie in the result where the first of them is, if they stand
// beside one another, or else first.
struct IndexedBy {
  std::vector<Value*> list;
  int64_t rank = 0;  // of what they broadcast to
  int64_t place = 0;
  bool are_apart = false;
  bool are_batched = false;
  bool have_mask = false;
};

std::optional<IndexedBy> indices_of(const Batched& c) {
  const auto* list = std::get_if<std::vector<Value*>>(&c.node().arg(1));
  if (!list) return std::nullopt;
  IndexedBy found{*list};
  int64_t first = -1;
  int64_t last = -1;
  int64_t count = 0;
  for (size_t i = 0; i < list->size(); ++i) {
    const Value* index = list->at(i);
    if (!index) continue;
    const bool is_mask = index->dtype() == DType::kBool || index->dtype() == DType::kUInt8;
    found.have_mask = found.have_mask || is_mask;
    found.rank = std::max(found.rank, is_mask ? 1 : index->rank());
    found.are_batched = found.are_batched || c.is_batched(index);
    last = static_cast<int64_t>(i);
    if (count++ == 0) first = last;
  }
  if (count == 0) return std::nullopt;
  found.are_apart = last - first + 1 != count;
  found.place = found.are_apart ? 0 : first;
  return found;
}

// Indices of the whole, of one rank and type, so that the first of their dimensions is the batch.
std::vector<Value*> aligned_indices(Batched& c, const IndexedBy& by) {
  std::vector<Value*> list;
  for (Value* index : by.list) {
    list.push_back(index ? c.build.to_dtype(c.aligned(index, by.rank), DType::kInt64) : nullptr);
  }
  return list;
}

// The sizes of the node's result with the batch at a place among them.
Sizes batch_at(const Batched& c, int64_t place) {
  Sizes sizes = c.output()->sizes();
  if (static_cast<size_t>(place) > sizes.size()) throw std::out_of_range("sizes of a result");
  sizes.insert(sizes.begin() + place, c.batch().size);
  return sizes;
}

Values read_by_index(Batched& c) {
  const auto by = indices_of(c);
  Value* x = c.tensor(0);
  if (!by || !x || (by->have_mask && by->are_batched)) return {};
  const auto read = [&](const std::vector<Value*>& list, Sizes sizes) {
    return c.build.call(c.node().op(), {c.whole(x), list}, x->dtype(), std::move(sizes));
  };
  if (!c.is_batched(x)) {
    Value* y = read(aligned_indices(c, *by), batch_at(c, by->place));
    return {moved_first(c.build, y, by->place)};
  }
  if (!by->are_batched) {
    std::vector<Value*> list = {nullptr};
    list.insert(list.end(), by->list.begin(), by->list.end());
    if (!by->are_apart) return {read(list, c.sizes_of(c.output()))};
    return {moved_first(c.build, read(list, batch_at(c, by->rank)), by->rank)};
  }
  std::vector<Value*> list = aligned_indices(c, *by);
  list.insert(list.begin(), c.places(by->rank));
  if (by->place == 0) return {read(list, c.sizes_of(c.output()))};
  // The batch stands apart from the others, so that all their dimensions come first.
  const Sizes& element = c.output()->sizes();
  if (by->place + by->rank > c.output()->rank()) return {};
  Sizes sizes = {c.batch().size};
  const auto index_begin = element.begin() + by->place;
  sizes.insert(sizes.end(), index_begin, index_begin + by->rank);
  sizes.insert(sizes.end(), element.begin(), index_begin);
  sizes.insert(sizes.end(), index_begin + by->rank, element.end());
  Value* y = read(list, std::move(sizes));
  std::vector<int64_t> order = {0};
  for (int64_t i = 0; i < by->place; ++i) order.push_back(1 + by->rank + i);
  for (int64_t i = 0; i < by->rank; ++i) order.push_back(1 + i);
  for (auto i = static_cast<int64_t>(order.size()); i < y->rank(); ++i) order.push_back(i);
  return {c.build.permute(y, std::move(order))};
}

// A mask as large as x, and one value: a choice.
Values write_by_mask(Batched& c, Value* mask) {
  Value* value = c.tensor(2);
  Value* x = c.tensor(0);
  if (mask->dtype() != DType::kBool || mask->rank() != x->rank() || value->rank() != 0) return {};
  Value* filled = c.build.to_dtype(c.aligned(value, x->rank()), x->dtype());
  return {c.build.where(c.whole(mask), filled, c.whole(x))};
}

Values write_by_index(Batched& c) {
  const auto by = indices_of(c);
  Value* x = c.tensor(0);
  if (!by || !x || !c.tensor(2)) return {};
  const bool adds = ir::Arguments(c.node()).flag(3).value_or(false);
  if (by->have_mask) {
    return by->list.size() == 1 && !adds ? write_by_mask(c, by->list[0]) : Values();
  }
  if (by->place != 0) return {};
  std::vector<Value*> list = aligned_indices(c, *by);
  list.insert(list.begin(), c.places(by->rank));
  const int64_t read = x->rank() + by->rank -
                       std::count_if(by->list.begin(), by->list.end(), [](Value* v) { return v; });
  return c.same({c.repeated(x), list, c.aligned(c.tensor(2), read), adds});
}

Values select_by_index(Batched& c) {
  Value* x = c.tensor(0);
  Value* index = c.tensor(2);
  const auto dim = x ? ir::Arguments(c.node()).dim(1, x->rank()) : std::nullopt;
  if (!dim || !index || x->rank() == 0) return {};
  if (!c.is_batched(index)) {
    return c.call("aten.index_select.default", {c.whole(x), SymInt(*dim + 1), index});
  }
  if (index->rank() == 0) return {};
  // All that stands before the dimension is read whole.
  Value* places = c.build.to_dtype(c.whole(index), DType::kInt64);
  Sizes sizes(static_cast<size_t>(x->rank()) + 1, SymInt(1));
  sizes[0] = c.batch().size;
  sizes[static_cast<size_t>(*dim) + 1] = index->sizes()[0];
  Value* wide = c.build.expand(c.build.view(places, std::move(sizes)), c.sizes_of(c.output()));
  return c.call("aten.gather.default", {c.repeated(x), SymInt(*dim + 1), wide, false});
}

Values look_up(Batched& c) {
  Value* table = c.tensor(0);
  Value* index = c.tensor(1);
  if (!table || !index) return {};
  if (!c.is_batched(table)) return c.on_wholes();
  Value* places = c.build.to_dtype(
      c.is_batched(index) ? c.whole(index) : c.build.unsqueeze(index, 0), DType::kInt64);
  const std::vector<Value*> list = {c.places(index->rank()), places};
  return c.call("aten.index.Tensor", {c.whole(table), list});
}

// Among numbers that are the same for all elements.
Values rank_among_numbers(Batched& c) {
  const Value* numbers = c.tensor(0);
  if (!numbers || numbers->rank() != 1 || !c.only_batched(1)) return {};
  return c.on_wholes();
}

}  // namespace

const std::vector<BatchingEntry>& batched_indices() {
  static const std::vector<BatchingEntry> kEntries = {
      {"_unsafe_index index.Tensor", read_by_index},
      {"_unsafe_index_put index_put", write_by_index},
      {"index_select", select_by_index},
      {"embedding", look_up},
      {"searchsorted.Tensor", rank_among_numbers},
  };
  return kEntries;
}

}  // namespace slipway::passes
