// Counting equal elements: bins, and distinct ones. How many there are is data: a mask over as many
// as there can be selects them.
#include <cmath>
#include <functional>
#include <optional>
#include <tuple>
#include <utility>

#include <fmt/core.h>

#include "passes/decompositions/loops.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::SymInt;
using ir::Value;

// How many of `values` go to each of [0, bins), or what they add up to; a place outside of it is an
// error when it runs, but for negative ones, which count from the end.
Value* add_up(Context& c, Value* places, Value* values, const SymInt& bins) {
  return c.build.index_put(c.build.zeros({bins}, values->dtype()), {places}, values, true);
}

Value* select(Context& c, Value* x, Value* mask, const std::vector<SymInt>& sizes) {
  return c.build.call("aten.masked_select.default", {x, mask}, x->dtype(), sizes);
}

Values bincount(Context& c) {
  const SymInt count = c.sizes().at(0);
  const auto most = c.bounds(count).max;
  if (!most) {
    return c.unsupported(fmt::format(
        "its number of bins {0} has no upper bound, and memory is planned ahead of time: give one, "
        "by option 'bounds' {0}=64 or by torch._check(counts.shape[0] <= 64), or read the first "
        "bins alone, as by torch.bincount(x, minlength=n)[:n]",
        count.to_string()));
  }
  const SymInt bins(*most);
  Value* x = c.build.to_dtype(c.tensor(0), DType::kInt64);
  const std::vector<SymInt> sizes = x->sizes();
  Value* weights = c.tensor_or_null(1);
  weights = weights ? c.build.to_dtype(weights, c.dtype()) : c.build.ones(sizes, c.dtype());
  // A negative number is an error.
  Value* places = c.build.where(c.build.lt(x, 0), c.build.full(sizes, bins, DType::kInt64), x);
  Value* totals = add_up(c, places, weights, bins);
  // Of nothing, no bin is used.
  Value* last = c.build.amax(c.may_be_empty(sizes.at(0)) ? c.grow(x, {0}, -1) : x, {0});
  Value* used = c.build.clamp(c.build.add(last, 1), c.integer(2), std::nullopt);
  return {select(c, totals, c.build.lt(c.build.arange(bins), used), c.sizes())};
}

// The least and the greatest number, or those that stand for both where they are equal.
std::pair<Value*, Value*> range_of_data(Context& c, Value* x) {
  const auto beside = [&](double number) {
    return c.build.cat({x, c.build.full({1}, number, x->dtype())}, 0);
  };
  Value* low = c.build.amin(beside(INFINITY), {0});
  Value* high = c.build.amax(beside(-INFINITY), {0});
  Value* nothing = c.build.gt(low, high);
  low = c.build.masked_fill(low, nothing, 0.0);
  high = c.build.masked_fill(high, nothing, 0.0);
  Value* equal = c.build.eq(low, high);
  return {c.build.where(equal, c.build.sub(low, 1.0), low),
          c.build.where(equal, c.build.add(high, 1.0), high)};
}

Values histc(Context& c) {
  const int64_t bins = c.constant(1);
  const double min = c.real(2);
  const double max = c.real(3);
  if (bins < 1 || !(min <= max) || !std::isfinite(min) || !std::isfinite(max)) {
    return c.unsupported("it needs bins, and a range that is finite and not reversed");
  }
  const std::vector<SymInt> flat = {c.tensor(0)->type().numel()};
  Value* x = c.build.view(c.tensor(0), flat);
  Value* low = c.build.scalar_tensor(min, x->dtype());
  Value* high = c.build.scalar_tensor(max, x->dtype());
  if (min == max) std::tie(low, high) = range_of_data(c, x);
  Value* width = c.build.sub(high, low);
  Value* place = c.build.div(c.build.mul(c.build.sub(x, low), static_cast<double>(bins)), width);
  place = c.build.clamp(place, std::nullopt, static_cast<double>(bins - 1));
  Value* inside = c.build.logical_and(c.build.ge(x, low), c.build.le(x, high));
  place = c.build.masked_fill(place, c.build.logical_not(inside), 0.0);
  // A range that is not finite is an error.
  Value* finite = c.build.logical_not(c.build.isnan(c.build.sub(width, width)));
  place =
      c.build.where(finite, place, c.build.scalar_tensor(static_cast<double>(bins), x->dtype()));
  place = c.build.to_dtype(place, DType::kInt64);
  return {add_up(c, place, c.build.to_dtype(inside, c.dtype()), bins)};
}

// What runs of equal elements are made of: where each element's run is among them, as `places` say
// where elements were (null: where they are), and how long the runs are. `first` says of each
// element whether it is the first of its run.
struct Runs {
  Value* inverse;
  Value* counts;
};

// Whether each element, by `differs` from the one before it, is the first of its run.
Value* is_first(Context& c, const SymInt& count, const std::function<Value*(Value*)>& differs) {
  Value* index = c.build.arange(count);
  Value* before = c.build.clamp(c.build.sub(index, 1), 0, std::nullopt);
  return c.build.logical_or(differs(before), c.build.eq(index, 0));
}

Runs runs(Context& c, Value* first, Value* places, const SymInt& selected) {
  const std::vector<SymInt> flat = first->sizes();
  Value* run = c.build.sub(c.build.cumsum(c.build.to_dtype(first, DType::kInt64), 0), 1);
  Value* inverse =
      places ? c.build.scatter(c.build.zeros(flat, DType::kInt64), 0, places, run) : run;
  Value* counts = add_up(c, run, c.build.ones(flat, DType::kInt64), flat.at(0));
  return {inverse, select(c, counts, c.build.gt(counts, 0), {selected})};
}

// All elements in a row, or sorted: then with their places.
Values distinct(Context& c, bool is_sorted, bool returns_inverse, bool returns_counts) {
  const std::vector<SymInt> sizes = c.tensor(0)->sizes();
  const DType dtype = c.dtype();
  Value* x = c.build.view(c.tensor(0), {c.tensor(0)->type().numel()});
  Value* places = nullptr;
  if (is_sorted) {
    if (dtype == DType::kBool) x = c.build.to_dtype(x, DType::kUInt8);
    std::tie(x, places) = c.build.topk(x, x->sizes().at(0), 0, false);
  }
  Value* first = is_first(c, x->sizes().at(0), [&](Value* before) {
    return c.build.ne(x, c.build.index_select(x, 0, before));
  });
  const Runs of = runs(c, first, places, c.sizes().at(0));
  return {c.build.to_dtype(select(c, x, first, c.sizes()), dtype),
          returns_inverse ? c.build.view(of.inverse, sizes) : nullptr,
          returns_counts ? of.counts : nullptr};
}

// The order of rows by their first element, then by the second, ...: sorted by the last one first,
// which the others leave as it is where they are equal.
Value* order_of_rows(Context& c, Value* rows) {
  const SymInt count = rows->sizes().at(0);
  const auto turn = [&](ir::OpBuilder& build, const LoopValues& now) -> LoopResults {
    Value* order = now.state.at(0);
    Value* column = build.index_select(now.scanned.at(0), 0, order);
    ir::Node* sorted = build.node("aten.argsort.stable", {column, true, SymInt(0), false});
    Value* within = build.graph().add_output(sorted, order->type());
    return {{build.index_select(order, 0, within)}, {}};
  };
  return loop(c, {{c.build.arange(count)}, {c.build.transpose(rows, 0, 1)}, {}}, true, turn)
      .state.at(0);
}

// The same of what lies along a dimension, each compared as a whole.
Values distinct_along(Context& c, int64_t dim, bool is_sorted, bool returns_inverse,
                      bool returns_counts) {
  Value* x = c.build.transpose(c.tensor(0), 0, dim);
  const SymInt count = x->sizes().at(0);
  const std::vector<SymInt> rest = last(x->sizes(), x->sizes().size() - 1);
  if (c.may_be_empty(ir::numel(rest))) return c.unsupported("its rows may be without elements");
  Value* rows = c.build.view(x, {count, ir::numel(rest)});
  if (rows->dtype() == DType::kBool) rows = c.build.to_dtype(rows, DType::kUInt8);
  Value* places = nullptr;
  if (is_sorted) {
    places = order_of_rows(c, rows);
    rows = c.build.index_select(rows, 0, places);
    x = c.build.index_select(x, 0, places);
  }
  Value* first = is_first(c, count, [&](Value* before) {
    return c.build.any(c.build.ne(rows, c.build.index_select(rows, 0, before)), 1);
  });
  const SymInt& selected = c.sizes().at(dim);
  const Runs of = runs(c, first, places, selected);
  Value* chosen = select(c, c.build.arange(count), first, {selected});
  return {c.build.transpose(c.build.index_select(x, 0, chosen), 0, dim),
          returns_inverse ? of.inverse : nullptr, returns_counts ? of.counts : nullptr};
}

Values unique(Context& c) { return distinct(c, true, c.flag(2), c.flag(3)); }

Values unique_consecutive(Context& c) {
  if (!c.has(3) || c.tensor(0)->rank() == 1) return distinct(c, false, c.flag(1), c.flag(2));
  if (c.output()->rank() != c.tensor(0)->rank()) {
    return c.unsupported(
        "PyTorch exports a wrong shape of what it gives where dim is negative: count dim from the "
        "front");
  }
  return distinct_along(c, c.dim(c.constant(3), c.tensor(0)->rank()), false, c.flag(1), c.flag(2));
}

// Sorted, whatever it is asked for.
Values unique_dim(Context& c) {
  if (c.tensor(0)->rank() == 1) return distinct(c, true, c.flag(3), c.flag(4));
  return distinct_along(c, c.dim(c.constant(1), c.tensor(0)->rank()), true, c.flag(3), c.flag(4));
}

constexpr Entry kCountingRules[] = {
    {"aten.bincount.default", bincount},
    {"aten.histc.default", histc},
    {"aten._unique2.default", unique},
    {"aten.unique_consecutive.default", unique_consecutive},
    {"aten.unique_dim.default", unique_dim},
};

}  // namespace

std::span<const Entry> counting_rules() { return kCountingRules; }

}  // namespace slipway::passes::decompositions
