#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "ir/promotion.h"
#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

using ir::SymInt;

// Dimensions, None and [] meaning all, and keepdim of a reduction.
struct Axes {
  std::vector<int64_t> list;
  bool keep = false;
};

Axes axes_of(Context& c, size_t dims, size_t keep) {
  return {c.dims(dims, c.rank(0), true), c.flag(keep)};
}

Axes all_axes(Context& c) { return {iota(c.rank(0)), false}; }

bool is_whole(Context& c) { return overload_name(c) == "default"; }

SymInt count_of(Context& c, const std::vector<int64_t>& axes) {
  SymInt count = 1;
  for (int64_t axis : axes) count = count * c.type(0).sizes.at(static_cast<size_t>(axis));
  return count;
}

// sum(x, [dtype]), sum.dim_IntList(x, dim, keepdim, [dtype]): the result's type is what is summed
// in.
void sum(Context& c) {
  const Axes axes = is_whole(c) ? all_axes(c) : axes_of(c, 1, 2);
  c.result(c.reduce("ReduceSum", c.tensor(0, c.dtype()), axes.list, axes.keep));
}

// Of argument 0, converted.
Ref mean_of(Context& c, const Ref& x, const Axes& axes) {
  const SymInt count = count_of(c, axes.list);
  const bool has_elements = count.bounds(c.ranges()).min.value_or(0) > 0;
  if (!c.options().means_as_quotients || has_elements) {
    return c.reduce("ReduceMean", x, axes.list, axes.keep);
  }
  const Ref sum = c.reduce("ReduceSum", x, axes.list, axes.keep);
  return c.div(sum, c.cast(c.scalar_length(count), sum.dtype));
}

void mean(Context& c) {
  const Axes axes = is_whole(c) ? all_axes(c) : axes_of(c, 1, 2);
  c.result(mean_of(c, c.tensor(0, c.dtype()), axes));
}

Ref extremum(Context& c, const Ref& x, const Axes& axes, bool is_max) {
  const Ref wide = x.dtype == DType::kBool ? c.cast(x, DType::kInt32) : x;
  const Ref result = c.reduce(is_max ? "ReduceMax" : "ReduceMin", wide, axes.list, axes.keep);
  if (!c.options().keep_infinite_extrema || !is_floating_point(x.dtype)) {
    return c.cast(result, x.dtype);
  }
  const double infinity = std::numeric_limits<double>::infinity();
  const Ref least = c.number_like(is_max ? -infinity : infinity, x);
  const Ref above = is_max ? c.compare("Less", least, x) : c.compare("Less", x, least);
  const Ref any = c.reduce("ReduceMax", c.cast(above, DType::kInt32), axes.list, axes.keep);
  return c.where(c.cast(any, DType::kBool), result, least);
}

// amax(x, dims, keepdim), and max(x) over everything
void amax(Context& c) {
  const std::string_view name = base_name(c);
  const bool whole = name == "max" || name == "min";
  c.result(extremum(c, c.tensor(0), whole ? all_axes(c) : axes_of(c, 1, 2),
                    name == "max" || name == "amax"));
}

// ArgMax and ArgMin give the first of equals.
Ref arg_extremum(Context& c, const Ref& x, int64_t axis, bool keep, bool is_max) {
  const bool has_kernel = is_floating_point(x.dtype) || x.dtype == DType::kInt32;
  if (x.dtype == DType::kInt64) {
    const Ref extreme = c.reduce(is_max ? "ReduceMax" : "ReduceMin", x, {axis}, true);
    return arg_extremum(c, c.cast(c.compare("Equal", x, extreme), DType::kInt32), axis, keep, true);
  }
  const Ref wide = has_kernel ? x : c.cast(x, DType::kInt32);
  return c.op(is_max ? "ArgMax" : "ArgMin", {wide}, {{"axis", axis}, {"keepdims", keep ? 1 : 0}},
              DType::kInt64);
}

// argmax(x, dim, keepdim); no dim: the place in the flattened tensor.
void argmax(Context& c) {
  const bool is_max = base_name(c) == "argmax";
  const int64_t rank = c.rank(0);
  const bool keep = c.flag(2);
  Ref x = c.tensor(0);
  if (rank == 0) return c.result(c.scalar(int64_t{0}, DType::kInt64));
  if (c.has(1)) return c.result(arg_extremum(c, x, c.dim(c.constant(1), rank), keep, is_max));
  const Ref index = arg_extremum(c, c.op("Reshape", {x, c.ints({-1})}), 0, false, is_max);
  c.result(
      keep ? c.op("Reshape", {index, c.ints(std::vector<int64_t>(static_cast<size_t>(rank), 1))})
           : index);
}

// max.dim(x, dim, keepdim): values and indices
void max_dim(Context& c) {
  const bool is_max = base_name(c) == "max";
  const int64_t rank = c.rank(0);
  const Ref x = c.tensor(0);
  if (rank == 0) {
    c.result(c.scalar(int64_t{0}, DType::kInt64), 1);
    return c.result(x);
  }
  const int64_t axis = c.dim(c.constant(1), rank);
  const bool keep = c.flag(2);
  const Ref values = extremum(c, x, {{axis}, keep}, is_max);
  if (c.is_used(1)) c.result(arg_extremum(c, x, axis, keep, is_max), 1);
  c.result(values);
}

void aminmax(Context& c) {
  const Axes axes = c.has(1) ? axes_of(c, 1, 2) : Axes{all_axes(c).list, c.flag(2)};
  const Ref x = c.tensor(0);
  const Ref low = extremum(c, x, axes, false);
  const Ref high = extremum(c, x, axes, true);
  c.result(low, 0);
  c.result(high, 1);
}

// By sums, which are right for empty tensors too. In floating point: integers of 32 bits would wrap
// round past 2^31 elements, and all sums of ones are greater than 0.
Ref any(Context& c, const Ref& truth, const Axes& axes) {
  const Ref count = c.reduce("ReduceSum", c.cast(truth, DType::kFloat32), axes.list, axes.keep);
  return c.compare("Greater", count, 0.0);
}

void any_rule(Context& c) {
  const Axes axes = is_whole(c) ? all_axes(c) : axes_of(c, 1, 2);
  c.result(any(c, c.tensor(0, DType::kBool), axes));
}

void all(Context& c) {
  const Axes axes = is_whole(c) ? all_axes(c) : axes_of(c, 1, 2);
  c.result(c.logical_not(any(c, c.logical_not(c.tensor(0, DType::kBool)), axes)));
}

void count_nonzero(Context& c) {
  const Axes axes = c.has(1) ? Axes{c.dims(1, c.rank(0), true), false} : all_axes(c);
  c.result(
      c.reduce("ReduceSum", c.cast(c.tensor(0, DType::kBool), DType::kInt64), axes.list, false));
}

void prod(Context& c) {
  const Axes axes = is_whole(c) ? all_axes(c) : axes_of(c, 1, 2);
  c.result(c.reduce("ReduceProd", c.tensor(0, c.dtype()), axes.list, axes.keep));
}

// var, std, var_mean, std_mean in their three forms.
void variance(Context& c) {
  const std::string_view overload = overload_name(c);
  const std::string_view name = base_name(c);
  const bool root = name.starts_with("std");
  const bool with_mean = name.ends_with("_mean");
  Axes axes = all_axes(c);
  double correction = 1;
  if (overload == "correction") {
    axes = axes_of(c, 1, 3);
    if (c.has(2)) correction = c.real(2);
  } else if (overload == "dim") {
    axes = axes_of(c, 1, 3);
    correction = c.flag(2) ? 1 : 0;
  } else {
    correction = c.flag(1) ? 1 : 0;
  }
  const Ref x = c.tensor(0);
  const Ref mean = mean_of(c, x, {axes.list, true});
  const Ref centred = c.sub(x, mean);
  const Ref total = c.reduce("ReduceSum", c.mul(centred, centred), axes.list, axes.keep);
  const SymInt count = count_of(c, axes.list);
  Ref divisor;
  if (auto known = count.constant()) {
    divisor = c.number_like(std::max(0.0, static_cast<double>(*known) - correction), x);
  } else {
    divisor = c.op(
        "Max", {c.sub(c.cast(c.scalar_length(count), x.dtype), correction), c.number_like(0, x)});
  }
  Ref result = c.div(total, divisor);
  if (root) result = c.op("Sqrt", {result});
  if (with_mean) {
    const Ref kept = axes.keep ? mean : c.squeeze(mean, axes.list);
    c.result(kept, 1);
  }
  c.result(result);
}

void cumsum(Context& c) {
  const int64_t rank = c.rank(0);
  const Ref x = c.tensor(0, c.dtype());
  if (rank == 0) return c.result(x);
  c.result(c.op("CumSum", {x, c.scalar(c.dim(c.constant(1), rank), DType::kInt64)}));
}

struct Sorted {
  Ref values;
  Ref indices;
};

// In the order of PyTorch: NaN above infinity, and infinity above the finite numbers.
Ref nan_above_all(Context& c, const Ref& x) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kLargest = std::numeric_limits<float>::max();
  const Ref finite = c.op("Min", {x, c.number_like(std::nextafter(kLargest, 0.0F), x)});
  const Ref number = c.where(c.compare("Equal", x, kInfinity), c.number_like(kLargest, x), finite);
  return c.where(c.op("IsNaN", {x}, {}, DType::kBool), c.number_like(kInfinity, x), number);
}

// TopK over types that runtimes have; the lower index comes first among equals.
Sorted top(Context& c, const Ref& x, const Ref& count, int64_t axis, bool largest) {
  if (c.options().sort_nan_by_key && is_floating_point(x.dtype)) {
    const Ref key = nan_above_all(c, c.cast(x, DType::kFloat32));
    const Ref indices =
        c.ops("TopK", {key, count}, {{"axis", axis}, {"largest", largest ? 1 : 0}, {"sorted", 1}},
              {key.dtype, DType::kInt64})
            .at(1);
    return {c.op("GatherElements", {x, indices}, {{"axis", axis}}), indices};
  }
  const bool has_kernel = is_floating_point(x.dtype) || x.dtype == DType::kInt64;
  const Ref wide = has_kernel ? x : c.cast(x, DType::kInt64);
  const Refs results =
      c.ops("TopK", {wide, count}, {{"axis", axis}, {"largest", largest ? 1 : 0}, {"sorted", 1}},
            {wide.dtype, DType::kInt64});
  return {c.cast(results.at(0), x.dtype), results.at(1)};
}

Sorted of_scalar(Context& c) { return {c.tensor(0), c.scalar(int64_t{0}, DType::kInt64)}; }

void set_sorted(Context& c, const Sorted& sorted) {
  c.result(sorted.indices, 1);
  c.result(sorted.values);
}

// topk(x, k, dim, largest, sorted)
void topk(Context& c) {
  const int64_t rank = c.rank(0);
  if (rank == 0) return set_sorted(c, of_scalar(c));
  const int64_t axis = c.dim(c.constant(2), rank);
  set_sorted(c, top(c, c.tensor(0), c.length(c.integer(1)), axis, c.flag(3)));
}

Sorted sorted_by(Context& c, size_t dim, size_t descending) {
  const int64_t rank = c.rank(0);
  if (rank == 0) return of_scalar(c);
  const int64_t axis = c.dim(c.constant(dim), rank);
  const SymInt& count = c.type(0).sizes.at(static_cast<size_t>(axis));
  return top(c, c.tensor(0), c.length(count), axis, c.flag(descending));
}

// sort(x, dim, descending), sort.stable(x, stable, dim, descending)
void sort(Context& c) {
  const size_t first = overload_name(c) == "stable" ? 2 : 1;
  set_sorted(c, sorted_by(c, first, first + 1));
}

void argsort(Context& c) {
  const size_t first = overload_name(c) == "stable" ? 2 : 1;
  c.result(sorted_by(c, first, first + 1).indices);
}

// Not ReduceLogSumExp, whose exponentials some engines let overflow. The largest element is taken
// out, but for an infinite one.
void logsumexp(Context& c) {
  const Axes axes = axes_of(c, 1, 2);
  const Ref x = c.tensor(0, c.dtype());
  Ref most = c.reduce("ReduceMax", x, axes.list, true);
  const Ref infinite =
      c.compare("Equal", c.op("Abs", {most}), std::numeric_limits<double>::infinity());
  most = c.where(infinite, c.number_like(0, most), most);
  const Ref total = c.reduce("ReduceSum", c.op("Exp", {c.sub(x, most)}), axes.list, true);
  const Ref result = c.add(c.op("Log", {total}), most);
  c.result(axes.keep ? result : c.squeeze(result, axes.list));
}

Ref norm(Context& c, const Ref& x, double order, const Axes& axes) {
  const auto reduce = [&](const char* op_type, const Ref& v) {
    return c.reduce(op_type, v, axes.list, axes.keep);
  };
  const Ref magnitude = c.op("Abs", {x});
  if (order == 0) {
    return reduce("ReduceSum", c.cast(c.logical_not(c.compare("Equal", x, 0.0)), x.dtype));
  }
  if (order == 1) return reduce("ReduceSum", magnitude);
  if (order == 2) return c.op("Sqrt", {reduce("ReduceSum", c.mul(x, x))});
  if (std::isinf(order)) return reduce(order > 0 ? "ReduceMax" : "ReduceMin", magnitude);
  return c.op("Pow", {reduce("ReduceSum", c.op("Pow", {magnitude, c.number_like(order, x)})),
                      c.number_like(1 / order, x)});
}

// linalg_vector_norm(x, ord, dim, keepdim), norm.Scalar(x, p), norm.ScalarOpt_dim(x, p, dim,
// keepdim)
void vector_norm(Context& c) {
  const Axes axes = c.node().args().size() > 2 && overload_name(c) != "Scalar" &&
                            overload_name(c) != "ScalarOpt_dtype"
                        ? axes_of(c, 2, 3)
                        : all_axes(c);
  c.result(norm(c, c.tensor(0, c.dtype()), c.has(1) ? c.real(1) : 2, axes));
}

constexpr Entry kReduceRules[] = {
    {"aten.sum aten.sum.dim_IntList", sum},
    {"aten.mean aten.mean.dim", mean},
    {"aten.amax aten.amin aten.max aten.min", amax},
    {"aten.argmax aten.argmin", argmax},
    {"aten.max.dim aten.min.dim", max_dim},
    {"aten.aminmax", aminmax},
    {"aten.any aten.any.dim aten.any.dims", any_rule},
    {"aten.all aten.all.dim aten.all.dims", all},
    {"aten.count_nonzero aten.count_nonzero.dim_IntList", count_nonzero},
    {"aten.prod aten.prod.dim_int", prod},
    {"aten.var aten.var.dim aten.var.correction aten.std aten.std.dim aten.std.correction "
     "aten.var_mean aten.var_mean.dim aten.var_mean.correction aten.std_mean aten.std_mean.dim "
     "aten.std_mean.correction",
     variance},
    {"aten.cumsum", cumsum},
    {"aten.topk", topk},
    {"aten.sort aten.sort.stable", sort},
    {"aten.argsort aten.argsort.stable", argsort},
    {"aten.logsumexp", logsumexp},
    {"aten.linalg_vector_norm aten.norm.Scalar aten.norm.ScalarOpt_dim "
     "aten.norm.ScalarOpt_dim_dtype",
     vector_norm},
};

}  // namespace

std::span<const Entry> reduce_rules() { return kReduceRules; }

}  // namespace slipway::onnx
