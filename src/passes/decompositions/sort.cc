// Orders: sort and what follows from it, by topk over the whole dimension.
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::SymInt;
using ir::Value;
using Pair = std::pair<Value*, Value*>;

// Keeps the order of equal elements: the runs of equal values are numbered, and within a run the
// indices are sorted.
Pair stabilized(Context& c, const Pair& sorted, int64_t dim) {
  const auto [values, indices] = sorted;
  const SymInt size = values->sizes().at(dim);
  const bool may_be_empty = c.may_be_empty(size);
  const SymInt length = may_be_empty ? SymInt::max(size, 1) : size;
  Value* after = c.build.narrow(values, dim, 1, length - 1);
  Value* before = c.build.narrow(values, dim, 0, length - 1);
  Value* changes = c.build.ne(after, before);
  if (is_floating_point(values->dtype())) {
    Value* is_number = c.build.logical_or(c.build.eq(after, after), c.build.eq(before, before));
    changes = c.build.logical_and(changes, is_number);
  }
  std::vector<SymInt> first = values->sizes();
  first[dim] = 1;
  changes = c.build.cat(
      {c.build.zeros(first, DType::kInt64), c.build.to_dtype(changes, DType::kInt64)}, dim);
  if (may_be_empty) changes = c.build.narrow(changes, dim, 0, size);
  Value* run = c.build.cumsum(changes, dim);
  Value* key = c.build.add(c.build.mul(run, length), indices);
  Value* ordered = c.build.topk(key, size, dim, false).first;
  return {values, c.build.remainder(ordered, length)};
}

Pair sorted(Context& c, Value* x, int64_t dim, bool descending, bool stable) {
  if (x->rank() == 0) return {x, c.build.zeros({}, DType::kInt64)};
  const DType dtype = x->dtype();
  if (dtype == DType::kBool) x = c.build.to_dtype(x, DType::kUInt8);
  const SymInt length = x->sizes().at(dim);
  Pair result = c.build.topk(x, length, dim, descending);
  if (stable && length != SymInt(1) && length != SymInt(0)) result = stabilized(c, result, dim);
  result.first = c.build.to_dtype(result.first, dtype);
  return result;
}

// (self, dim, descending) or (self, stable, dim, descending)
Values sort(Context& c) {
  Value* x = c.tensor(0);
  const bool named = c.op() == "aten.sort.stable";
  const bool stable = named && c.flag(1);
  const size_t first = named ? 2 : 1;
  const auto [values, indices] = sorted(
      c, x, c.dim(c.has(first) ? c.constant(first) : -1, x->rank()), c.flag(first + 1), stable);
  return {values, indices};
}

Values argsort(Context& c) {
  Value* x = c.tensor(0);
  const bool named = c.op() == "aten.argsort.stable";
  const bool stable = named && c.flag(1);
  const size_t first = named ? 2 : 1;
  return {sorted(c, x, c.dim(c.has(first) ? c.constant(first) : -1, x->rank()), c.flag(first + 1),
                 stable)
              .second};
}

Values msort(Context& c) { return {sorted(c, c.tensor(0), 0, false, false).first}; }

Values topk(Context& c) {
  Value* x = c.tensor(0);
  if (x->rank() == 0) return {x, c.build.zeros({}, DType::kInt64)};
  return {};
}

// The element at a place of the ascending order, counted from 0, with its index.
Values at_place(Context& c, Value* x, int64_t dim, const SymInt& place, bool keepdim) {
  const auto [values, indices] = sorted(c, x, dim, false, true);
  if (x->rank() == 0) return {values, indices};
  if (keepdim)
    return {c.build.narrow(values, dim, place, 1), c.build.narrow(indices, dim, place, 1)};
  return {c.build.select(values, dim, place), c.build.select(indices, dim, place)};
}

Values kthvalue(Context& c) {
  Value* x = c.tensor(0);
  return at_place(c, x, c.dim(c.has(2) ? c.constant(2) : -1, x->rank()), c.integer(1) - 1,
                  c.flag(3));
}

// What PyTorch gives for the median of nothing, where that is not the type's least number.
std::optional<double> median_of_nothing(DType dtype) {
  if (is_floating_point(dtype)) return std::numeric_limits<double>::quiet_NaN();
  if (dtype == DType::kBool) return 1.0;
  const bool is_narrow = dtype == DType::kUInt8 || dtype == DType::kInt8 || dtype == DType::kInt16;
  return is_narrow ? std::optional(0.0) : std::nullopt;
}

// The lower of two middle elements; NaN where there is one. NaNs sort last.
Values median(Context& c) {
  Value* x = c.tensor(0);
  const bool whole = c.op() == "aten.median.default";
  if (whole) x = c.build.view(x, {x->type().numel()});
  const int64_t dim = whole ? 0 : c.dim(c.constant(1), x->rank());
  if (x->rank() == 0) return {x, c.build.zeros({}, DType::kInt64)};
  const SymInt length = x->sizes().at(dim);
  SymInt last_place = length - 1;
  SymInt middle = SymInt::floordiv(last_place, 2);
  const bool may_be_empty = whole && c.may_be_empty(length);
  if (may_be_empty) {
    // What is added sorts first.
    x = c.build.cat({x, c.build.full({1}, lowest(x->dtype()), x->dtype())}, 0);
    last_place = length;
    middle = SymInt::floordiv(length + 1, 2);
  }
  Values result = at_place(c, x, dim, middle, !whole && c.flag(2));
  if (is_floating_point(x->dtype())) {
    Values last = at_place(c, x, dim, last_place, !whole && c.flag(2));
    Value* nan = c.build.isnan(last.at(0));
    result.at(0) = c.build.where(nan, last.at(0), result.at(0));
    result.at(1) = c.build.where(nan, last.at(1), result.at(1));
  }
  if (const auto nothing = median_of_nothing(x->dtype()); nothing && may_be_empty) {
    Value* is_nothing = c.build.eq(c.build.scalar_tensor(length, DType::kInt64), 0);
    result.at(0) = c.build.masked_fill(result.at(0), is_nothing, *nothing);
  }
  if (whole) result.pop_back();
  return result;
}

// Along a dimension, one element each by its place in an ascending order, with its index.
Values elements_at(Context& c, const Pair& ordered, Value* place, int64_t dim, bool keepdim) {
  Values values;
  for (Value* x : {ordered.first, ordered.second}) {
    Value* element = c.build.gather(x, dim, place);
    values.push_back(keepdim ? element : c.build.squeeze(element, dim));
  }
  return values;
}

// The lower of the two middle elements of those that are not NaN, or NaN where all are.
Values nanmedian(Context& c) {
  Value* x = c.tensor(0);
  if (!is_floating_point(x->dtype())) {
    const std::string op = c.output_count() == 1 ? "aten.median.default" : "aten.median.dim";
    ir::Node* node = c.build.node(op, c.node().args());
    Values values;
    for (size_t i = 0; i < c.output_count(); ++i) {
      values.push_back(c.build.graph().add_output(node, c.output(i)->type()));
    }
    return values;
  }
  const bool whole = c.output_count() == 1;
  if (whole) x = c.build.view(x, {x->type().numel()});
  const int64_t dim = whole ? 0 : c.dim(c.constant(1), x->rank());
  if (x->rank() == 0) return {x, c.build.zeros({}, DType::kInt64)};
  if (whole && c.may_be_empty(x->sizes().at(0))) {
    x = c.build.cat({x, c.build.full({1}, std::numeric_limits<double>::quiet_NaN(), x->dtype())},
                    0);
  }
  Value* is_number = c.build.logical_not(c.build.isnan(x));
  Value* count = c.build.sum(c.build.to_dtype(is_number, DType::kInt64), {dim}, true);
  Value* middle = c.build.div_mode(c.build.sub(count, 1), 2, "floor");
  middle = c.build.clamp(middle, 0, std::nullopt);
  Values values = elements_at(c, sorted(c, x, dim, false, true), middle, dim, !whole && c.flag(2));
  if (whole) values.pop_back();
  return values;
}

// (self, dim, keepdim): the least of the most frequent elements, and the last place where it is.
Values mode(Context& c) {
  auto& b = c.build;
  Value* x = c.tensor(0);
  if (x->rank() == 0) return {x, b.zeros({}, DType::kInt64)};
  const int64_t dim = c.dim(c.has(1) ? c.constant(1) : -1, x->rank());
  const SymInt length = x->sizes().at(dim);
  const Pair ordered = sorted(c, x, dim, false, true);
  std::vector<SymInt> line(x->rank(), 1);
  line.at(dim) = length;
  Value* place = b.view(b.arange(length), line);
  // Where the run of equal elements begins that an element is in: their number in the order.
  Value* after = b.narrow(ordered.first, dim, 1, length - 1);
  Value* before = b.narrow(ordered.first, dim, 0, length - 1);
  std::vector<SymInt> one = x->sizes();
  one.at(dim) = 1;
  Value* first =
      b.cat({b.zeros(one, DType::kInt64), b.to_dtype(b.ne(after, before), DType::kInt64)}, dim);
  Value* run = b.cumsum(first, dim);
  Value* sizes = b.scatter_add(b.zeros(x->sizes(), DType::kInt64), dim, run,
                               b.ones(x->sizes(), DType::kInt64));
  // The largest run; of several the first one.
  Value* best = b.max_dim(sizes, dim, true).second;
  Value* last = b.amax(b.where(b.eq(run, best), place, b.full({}, -1, DType::kInt64)), {dim}, true);
  return elements_at(c, ordered, last, dim, c.flag(2));
}

bool is_between_places(const std::string& how) { return how == "linear" || how == "midpoint"; }

// At places that follow from data: of [..., n] in ascending order, those of [..., q].
Value* at_computed_places(Context& c, Value* values, Value* places, const std::string& how) {
  auto& b = c.build;
  if (how == "lower") places = b.floor(places);
  if (how == "higher") places = b.unary("ceil", places);
  if (how == "nearest") places = b.round(places);
  Value* low = b.to_dtype(places, DType::kInt64);
  Value* result = b.gather(values, -1, low);
  if (!is_between_places(how)) return result;
  Value* weight = how == "midpoint" ? b.full_like(places, 0.5)
                                    : b.sub(places, b.to_dtype(low, places->dtype()));
  weight = b.to_dtype(weight, c.dtype());
  Value* next = b.gather(values, -1, b.to_dtype(b.unary("ceil", places), DType::kInt64));
  return b.call("aten.lerp.Tensor", {result, next, weight}, c.dtype(), result->sizes());
}

// At a place that is known.
Value* at_known_place(Context& c, Value* values, double place, const std::string& how) {
  auto& b = c.build;
  if (how == "higher") place = std::ceil(place);
  if (how == "nearest") place = std::nearbyint(place);  // of two, the even one
  const auto low = static_cast<int64_t>(place);
  const auto high = static_cast<int64_t>(std::ceil(place));
  Value* result = b.narrow(values, -1, low, 1);
  if (!is_between_places(how)) return result;
  Value* next = high == low ? result : b.narrow(values, -1, high, 1);
  const double weight =
      how == "midpoint" ? 0.5 : rounded_to(place - static_cast<double>(low), c.dtype());
  return b.call("aten.lerp.Scalar", {result, next, weight}, c.dtype(), result->sizes());
}

// (self, q, dim, keepdim, interpolation), q being a number, or some in a tensor. Without a
// dimension, over all elements. Among them one NaN makes the result NaN, or is not counted. Places
// are multiples of q in float64, as PyTorch has them.
Values quantile(Context& c, bool counts_numbers) {
  auto& b = c.build;
  Value* x = c.tensor(0);
  const std::string how = c.text(4).empty() ? "linear" : c.text(4);
  if (c.has(2) && x->rank() > 0) {
    const int64_t dim = c.dim(c.constant(2), x->rank());
    std::vector<int64_t> order;
    for (int64_t d = 0; d < x->rank(); ++d) {
      if (d != dim) order.push_back(d);
    }
    order.push_back(dim);
    if (dim + 1 < x->rank()) x = b.permute(x, order);
  } else {
    x = b.view(x, {x->type().numel()});
  }
  const SymInt length = last(x->sizes());
  const bool is_number = !c.is_tensor(1);
  const double number = is_number ? rounded_to(c.real(1), c.dtype()) : 0;
  if (!(number >= 0 && number <= 1)) return c.unsupported("q is not between 0 and 1");
  Value* values = sorted(c, x, x->rank() - 1, false, false).first;
  if (is_number && length.constant() && !counts_numbers) {
    const auto most = static_cast<double>(*length.constant() - 1);
    Value* result = at_known_place(c, values, number * most, how);
    Value* nan = b.full_like(result, std::numeric_limits<double>::quiet_NaN());
    return {b.view(b.where(b.any(b.isnan(x), -1, true), nan, result), c.sizes())};
  }
  const bool are_many = !is_number && c.tensor(1)->rank() == 1;
  constexpr DType kPlace = DType::kFloat64;
  Value* q = is_number ? b.full({1}, number, kPlace)
                       : (are_many ? c.tensor(1) : b.view(c.tensor(1), {SymInt(1)}));
  q = b.to_dtype(q, kPlace);
  Value* places = nullptr;
  if (counts_numbers) {
    Value* is_there = b.to_dtype(b.logical_not(b.isnan(x)), DType::kInt64);
    Value* most = b.sub(b.sum(is_there, {-1}, true), 1);
    places = b.mul(q, b.to_dtype(most, kPlace));
    places = b.where(b.lt(places, 0), b.full({1}, 0.0, kPlace), places);
  } else {
    // NaNs sort last.
    places = b.where(b.any(b.isnan(x), -1, true), b.full({1}, length - 1, kPlace),
                     b.mul(q, ir::Operand(length - 1)));
  }
  Value* result = at_computed_places(c, values, places, how);
  if (are_many && result->rank() > 1) {
    std::vector<int64_t> order = {result->rank() - 1};
    for (int64_t d = 0; d + 1 < result->rank(); ++d) order.push_back(d);
    result = b.permute(result, order);
  }
  return {b.view(result, c.sizes())};
}

constexpr Entry kSortRules[] = {
    {"aten.sort.default aten.sort.stable", sort},
    {"aten.argsort.default aten.argsort.stable", argsort},
    {"aten.msort.default", msort},
    {"aten.topk.default", topk},
    {"aten.kthvalue.default", kthvalue},
    {"aten.median.default aten.median.dim", median},
    {"aten.nanmedian.default aten.nanmedian.dim", nanmedian},
    {"aten.mode.default", mode},
    {"aten.quantile.scalar aten.quantile.default", [](Context& c) { return quantile(c, false); }},
    {"aten.nanquantile.scalar aten.nanquantile.default",
     [](Context& c) { return quantile(c, true); }},
};

}  // namespace

std::span<const Entry> sort_rules() { return kSortRules; }

}  // namespace slipway::passes::decompositions
