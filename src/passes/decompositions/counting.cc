// Counting equal elements: bins, and distinct ones. How many there are is data: a mask over as many
// as there can be selects them.
#include <cmath>
#include <tuple>
#include <utility>

#include <fmt/core.h>

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

// The first of each run of equal elements; where each element's run is among them, as `places` say
// where elements were (null: where they are); how long the runs are.
Values runs(Context& c, Value* x, Value* places) {
  const std::vector<SymInt> flat = x->sizes();
  Value* index = c.build.arange(flat.at(0));
  Value* before = c.build.index_select(x, 0, c.build.clamp(c.build.sub(index, 1), 0, std::nullopt));
  Value* first = c.build.logical_or(c.build.ne(x, before), c.build.eq(index, 0));
  Value* run = c.build.sub(c.build.cumsum(c.build.to_dtype(first, DType::kInt64), 0), 1);
  Value* inverse =
      places ? c.build.scatter(c.build.zeros(flat, DType::kInt64), 0, places, run) : run;
  Value* counts = add_up(c, run, c.build.ones(flat, DType::kInt64), flat.at(0));
  return {select(c, x, first, c.sizes()), inverse,
          select(c, counts, c.build.gt(counts, 0), c.sizes())};
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
  Values results = runs(c, x, places);
  results.at(0) = c.build.to_dtype(results.at(0), dtype);
  results.at(1) = returns_inverse ? c.build.view(results.at(1), sizes) : nullptr;
  if (!returns_counts) results.at(2) = nullptr;
  return results;
}

bool is_along_rows(Context& c) { return c.tensor(0)->rank() != 1; }

Values unique(Context& c) { return distinct(c, true, c.flag(2), c.flag(3)); }

Values unique_consecutive(Context& c) {
  if (c.has(3) && is_along_rows(c))
    return c.unsupported("it compares numbers, not rows: leave dim out");
  return distinct(c, false, c.flag(1), c.flag(2));
}

Values unique_dim(Context& c) {
  if (is_along_rows(c)) return c.unsupported("it compares numbers, not rows: leave dim out");
  return distinct(c, true, c.flag(3), c.flag(4));
}

constexpr Entry kRules[] = {
    {"aten.bincount.default", bincount},
    {"aten.histc.default", histc},
    {"aten._unique2.default", unique},
    {"aten.unique_consecutive.default", unique_consecutive},
    {"aten.unique_dim.default", unique_dim},
};

}  // namespace

std::span<const Entry> counting_rules() { return kRules; }

}  // namespace slipway::passes::decompositions
