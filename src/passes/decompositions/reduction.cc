// Reductions, norms and running sums.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/half.h"
#include "ir/promotion.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::Argument;
using ir::Scalar;
using ir::SymInt;
using ir::Value;

// What a running product is unrolled up to.
constexpr int64_t kMaxUnrolled = 256;

std::vector<int64_t> all_dims(const Value* x) {
  std::vector<int64_t> dims;
  for (int64_t d = 0; d < x->rank(); ++d) dims.push_back(d);
  return dims;
}

// Missing or empty stands for all dimensions.
std::vector<int64_t> reduced_dims(Context& c, size_t i) {
  Value* x = c.tensor(0);
  if (!c.has(i)) return all_dims(x);
  auto dims = c.dims(c.constants(i), x->rank());
  if (dims.empty() || x->rank() == 0) return all_dims(x);
  return dims;
}

std::vector<SymInt> as_list(const std::vector<int64_t>& dims) { return {dims.begin(), dims.end()}; }

// Whether argument i names its dimensions, so that a kernel takes it as it is.
bool names_dims(Context& c, size_t i) {
  return c.tensor(0)->rank() > 0 && c.has(i) && !c.integers(i).empty();
}

// ExecuTorch's kernel adds in float32 where it reduces one dimension, and in the result's type
// where it reduces several.
bool adds_exactly(DType dtype, const std::vector<int64_t>& dims) {
  return dims.size() > 1 || (is_floating_point(dtype) && dtype != DType::kFloat64);
}

Values sum(Context& c) {
  Value* x = c.tensor(0);
  const bool whole = c.op() == "aten.sum.default";
  if (x->rank() == 0) return {c.build.to_dtype(x, c.dtype())};
  std::vector<int64_t> dims = whole ? all_dims(x) : reduced_dims(c, 1);
  if (!adds_exactly(c.dtype(), dims)) {
    Value* total = c.build.sum(c.build.unsqueeze(x, dims.at(0)), {dims.at(0), dims.at(0) + 1},
                               !whole && c.flag(2), c.dtype());
    return {c.build.view(total, c.sizes())};
  }
  if (!whole && names_dims(c, 1)) return {};
  return {c.build.call("aten.sum.dim_IntList", {x, as_list(dims), !whole && c.flag(2), c.dtype()},
                       c.dtype(), c.sizes())};
}

// Integers and bools of which the result is a float are converted before, as PyTorch does.
Value* as_result(Context& c) {
  Value* x = c.tensor(0);
  const bool is_whole = is_integral(x->dtype()) || x->dtype() == DType::kBool;
  return is_whole && is_floating_point(c.dtype()) ? c.build.to_dtype(x, c.dtype()) : x;
}

constexpr int64_t kManyNumbers = 4096;

Values mean(Context& c) {
  Value* x = as_result(c);
  const bool whole = c.op() == "aten.mean.default";
  const auto dims = whole ? all_dims(x) : reduced_dims(c, 1);
  // The kernel adds one number to the next, and that of sums, as PyTorch's, does not.
  SymInt count = 1;
  for (const int64_t dim : dims) count = count * x->sizes().at(static_cast<size_t>(dim));
  if (c.dtype() == DType::kFloat32 && count.constant().value_or(0) > kManyNumbers) {
    return {c.build.div(c.build.sum(x, dims, !whole && c.flag(2), c.dtype()),
                        static_cast<double>(*count.constant()))};
  }
  if (!whole && x == c.tensor(0) && names_dims(c, 1)) return {};
  if (x->rank() == 0) return {c.build.to_dtype(x, c.dtype())};
  return {c.build.call("aten.mean.dim", {x, as_list(dims), !whole && c.flag(2), c.dtype()},
                       c.dtype(), c.sizes())};
}

// amax and amin.
Values extreme(Context& c) {
  Value* x = c.tensor(0);
  if (x->rank() == 0) return {x};
  const auto reduced = reduced_dims(c, 1);
  if (!c.maybe_empty(x, reduced).empty()) {
    // The kernel wants an element, even if nothing is left of it; that of max.dim does not.
    for (const int64_t d : reduced) {
      x = c.op() == "aten.amax.default" ? c.build.max_dim(x, d, true).first
                                        : c.build.min_dim(x, d, true).first;
    }
    return {c.build.view(x, c.sizes())};
  }
  if (names_dims(c, 1)) return {};
  return {c.build.call(c.op(), {x, as_list(all_dims(x)), c.flag(2)}, c.dtype(), c.sizes())};
}

Values whole_extreme(Context& c, bool greatest) {
  Value* x = c.tensor(0);
  if (x->rank() == 0) return {x};
  return {greatest ? c.build.amax(x, all_dims(x)) : c.build.amin(x, all_dims(x))};
}

// max.dim and min.dim
Values extreme_with_index(Context& c) {
  Value* x = c.tensor(0);
  if (x->rank() > 0) return {};
  return {x, c.build.zeros({}, DType::kInt64)};
}

Values aminmax(Context& c) {
  Value* x = c.tensor(0);
  if (x->rank() == 0) return {x, x};
  const auto dims = c.has(1) ? c.dims({c.constant(1)}, x->rank()) : all_dims(x);
  return {c.build.amin(x, dims, c.flag(2)), c.build.amax(x, dims, c.flag(2))};
}

Values any(Context& c) {
  Value* x = c.tensor(0);
  if (x->rank() == 0) return {c.build.to_dtype(c.build.ne(x, 0), c.dtype())};
  if (c.op() != "aten.any.dims" || names_dims(c, 1)) return {};
  return {
      c.build.call("aten.any.dims", {x, as_list(all_dims(x)), c.flag(2)}, c.dtype(), c.sizes())};
}

// All hold where none fails.
Values all(Context& c) {
  Value* x = c.tensor(0);
  Value* fails = c.build.logical_not(x);
  if (x->rank() > 0) {
    if (c.op() == "aten.all.default") {
      fails = c.build.any(fails);
    } else {
      const bool keepdim = c.flag(2);
      const auto dims =
          c.op() == "aten.all.dim" ? c.dims({c.constant(1)}, x->rank()) : reduced_dims(c, 1);
      fails =
          c.build.call("aten.any.dims", {fails, as_list(dims), keepdim}, DType::kBool, c.sizes());
    }
  }
  return {c.build.to_dtype(c.build.logical_not(fails), c.dtype())};
}

struct Moments {
  Value* x;
  std::vector<int64_t> dims;
  Scalar correction = SymInt(1);
  bool keepdim = false;
};

// The three forms of var and its like.
Moments moments(Context& c) {
  Moments m{c.tensor(0), {}, SymInt(1), false};
  if (c.op().ends_with(".default")) {
    m.dims = all_dims(m.x);
    m.correction = SymInt(c.flag(1) ? 1 : 0);
    return m;
  }
  m.dims = reduced_dims(c, 1);
  if (c.op().ends_with(".correction")) {
    if (c.has(2)) m.correction = c.scalar(2);
  } else {
    m.correction = SymInt(c.flag(2) ? 1 : 0);
  }
  m.keepdim = c.flag(3);
  return m;
}

// How many elements become one.
SymInt reduced_count(const Moments& m) {
  SymInt count = 1;
  for (const int64_t d : m.dims) count = count * m.x->sizes().at(d);
  return count;
}

// Where the correction leaves nothing to divide by the kernel gives NaN, PyTorch the quotient by 0.
bool may_divide_by_zero(Context& c, const Moments& m) {
  const double correction = ir::to_double(m.correction);
  const auto least = c.bounds(reduced_count(m)).min;
  return correction > 0 && (!least || static_cast<double>(*least) <= correction);
}

Value* variance(Context& c, const Moments& m) {
  if (m.x->rank() == 0) {
    Value* none = c.build.sub(m.x, m.x);  // NaN of what is not finite
    return ir::to_double(m.correction) >= 1 ? c.build.div(none, 0.0) : none;
  }
  const bool divides = may_divide_by_zero(c, m);
  Value* result = c.build.call(
      "aten.var.correction",
      {m.x, as_list(m.dims), divides ? Argument(0.0) : ir::to_argument(m.correction), m.keepdim},
      m.x->dtype(), c.sizes());
  if (!divides) return result;
  Value* count = c.build.scalar_tensor(reduced_count(m), m.x->dtype());
  Value* left = c.build.clamp(c.build.sub(count, ir::to_double(m.correction)), 0.0, std::nullopt);
  return c.build.div(c.build.mul(result, count), left);
}

// In float64, as PyTorch computes them: the squares of float32 numbers overflow.
Moments wide_moments(Context& c) {
  Moments m = moments(c);
  m.x = c.build.to_dtype(m.x, DType::kFloat64);
  return m;
}

Values var(Context& c) {
  if (c.op() == "aten.var.correction" && c.dtype() == DType::kFloat64 && names_dims(c, 1) &&
      c.has(2) && !may_divide_by_zero(c, moments(c))) {
    return {};
  }
  return {c.build.to_dtype(variance(c, wide_moments(c)), c.dtype())};
}

Values std_deviation(Context& c) {
  return {c.build.to_dtype(c.build.sqrt(variance(c, wide_moments(c))), c.dtype())};
}

Values var_mean(Context& c, bool root) {
  const Moments m = wide_moments(c);
  Value* v = variance(c, m);
  Value* mean = m.x->rank() == 0 ? m.x : c.build.mean(m.x, m.dims, m.keepdim);
  return {c.build.to_dtype(root ? c.build.sqrt(v) : v, c.dtype()),
          c.build.to_dtype(mean, c.dtype())};
}

// (sum |x|^p)^(1/p), with the limits that p = 0 and infinite p have. Squares of half types
// overflow: they are computed in float32, and what comes out is rounded.
Value* vector_norm(Context& c, Value* x, double p, const std::vector<int64_t>& dims, bool keepdim) {
  if (is_half(x->dtype())) {
    Value* wide = vector_norm(c, c.build.to_dtype(x, DType::kFloat32), p, dims, keepdim);
    return c.build.to_dtype(wide, x->dtype());
  }
  if (is_complex(x->dtype())) {
    x = c.build.call("aten.abs.default", {x}, c.output()->dtype(), x->sizes());
  }
  const DType dtype = ir::to_floating_point(x->dtype());
  x = c.build.to_dtype(x, dtype);
  const bool is_of_one = x->rank() == 0 || std::all_of(dims.begin(), dims.end(), [&](int64_t d) {
                           return x->sizes().at(static_cast<size_t>(d)) == SymInt(1);
                         });
  if (is_of_one) {
    // PyTorch takes no power, which could leave the range.
    Value* one = p == 0 ? c.build.to_dtype(c.build.ne(x, 0), dtype) : c.build.abs(x);
    return keepdim || x->rank() == 0 ? one : c.build.squeeze(one, dims);
  }
  if (p == 0) return c.build.sum(c.build.to_dtype(c.build.ne(x, 0), dtype), dims, keepdim);
  if (p == 2) return c.build.sqrt(c.build.sum(c.build.mul(x, x), dims, keepdim));
  Value* magnitude = c.build.abs(x);
  if (p == 1) return c.build.sum(magnitude, dims, keepdim);
  if (std::isinf(p)) {
    return p > 0 ? c.build.amax(magnitude, dims, keepdim) : c.build.amin(magnitude, dims, keepdim);
  }
  return c.build.pow(c.build.sum(c.build.pow(magnitude, p), dims, keepdim), 1 / p);
}

Values norm(Context& c, size_t order, size_t dims, size_t keepdim, size_t dtype) {
  Value* x = c.tensor(0);
  if (const auto wanted = c.dtype(dtype)) x = c.build.to_dtype(x, *wanted);
  const double p = c.has(order) ? c.real(order) : 2.0;
  return {
      vector_norm(c, x, p, dims ? reduced_dims(c, dims) : all_dims(x), keepdim && c.flag(keepdim))};
}

constexpr size_t kMissing = 0;      // of an argument that could not be the first
constexpr size_t kPastTheEnd = 99;  // of one that the operator does not have

// Only the orders that are norms of the elements; others take singular values.
Values linalg_norm(Context& c) {
  if (c.has(1) && (!c.has(2) || c.integers(2).size() > 1)) {
    return c.unsupported("matrix norms are not covered: use a vector norm");
  }
  return norm(c, 1, 2, 3, 4);
}

Values matrix_norm(Context& c) {
  if (c.op() != "aten.linalg_matrix_norm.str_ord") return c.unsupported("use the Frobenius norm");
  if (c.text(1) != "fro" && !c.text(1).empty()) {
    return c.unsupported("only the Frobenius norm is covered");
  }
  Value* x = c.tensor(0);
  return {vector_norm(c, x, 2.0,
                      c.dims(c.has(2) ? c.constants(2) : std::vector<int64_t>{-2, -1}, x->rank()),
                      c.flag(3))};
}

// The largest element is taken out so that the exponentials stay finite; an infinite one is not.
Value* log_sum_exp(Context& c, Value* x, const std::vector<int64_t>& dims, bool keepdim) {
  x = c.build.to_dtype(x, ir::to_floating_point(x->dtype()));
  if (x->rank() == 0) return x;
  // Of nothing, it is minus infinity.
  std::vector<int64_t> others;
  for (int64_t d = 0; d < x->rank(); ++d) {
    if (std::find(dims.begin(), dims.end(), d) == dims.end()) others.push_back(d);
  }
  const double infinity = std::numeric_limits<double>::infinity();
  Value* most = c.build.amax(c.grow(x, c.maybe_empty(x, others), -infinity), dims, true);
  most = c.build.masked_fill(most, c.build.isinf(most), 0.0);
  Value* total = c.build.sum(c.build.exp(c.build.sub(x, most)), dims, true);
  Value* result = c.build.add(c.build.log(total), most);
  return keepdim ? result : c.build.squeeze(result, dims);
}

Values logsumexp(Context& c) {
  Value* result = log_sum_exp(c, c.tensor(0), reduced_dims(c, 1), true);
  return {result->sizes() == c.sizes() ? result : c.build.view(result, c.sizes())};
}

Values softmax(Context& c, bool log) {
  const bool is_final = c.op() == "aten._softmax.default" || c.op() == "aten._log_softmax.default";
  Value* x = c.build.to_dtype(c.tensor(0), c.dtype());
  if (x->rank() == 0) {
    Value* shifted = c.build.sub(x, x);  // NaN of what is not finite
    return {log ? shifted : c.build.add(shifted, 1.0)};
  }
  const int64_t dim = c.dim(c.constant(1), x->rank());
  // The kernel of log_softmax has no float64, and divides by the sizes from its dimension on.
  const bool may_be_empty = std::any_of(x->sizes().begin() + dim, x->sizes().end(),
                                        [&](const SymInt& size) { return c.may_be_empty(size); });
  if (log && (c.dtype() == DType::kFloat64 || may_be_empty)) {
    const bool has_none = c.may_be_empty(x->sizes().at(dim));  // amax wants an element
    Value* candidates = has_none ? c.grow(x, {dim}, -std::numeric_limits<double>::infinity()) : x;
    Value* shifted = c.build.sub(x, c.build.amax(candidates, {dim}, true));
    return {c.build.sub(shifted, c.build.log(c.build.sum(c.build.exp(shifted), {dim}, true)))};
  }
  if (is_final && x == c.tensor(0) && !c.flag(2)) return {};
  return {log ? c.build.log_softmax(x, dim) : c.build.softmax(x, dim)};
}

Values safe_softmax(Context& c) {
  Value* x = c.build.to_dtype(c.tensor(0), c.dtype());
  const int64_t dim = c.dim(c.constant(1), x->rank());
  Value* empty = c.build.eq(x, -std::numeric_limits<double>::infinity());
  if (x->rank() > 0) {
    empty = c.build.logical_not(c.build.any(c.build.logical_not(empty), dim, true));
  }
  return {c.build.masked_fill(c.build.softmax(x, dim), empty, 0.0)};
}

Values nansum(Context& c) {
  Value* x = c.tensor(0);
  if (is_floating_point(x->dtype())) x = c.build.masked_fill(x, c.build.isnan(x), 0.0);
  if (x->rank() == 0) return {c.build.to_dtype(x, c.dtype())};
  return {c.build.sum(x, reduced_dims(c, 1), c.flag(2), c.dtype())};
}

Values nanmean(Context& c) {
  Value* x = c.tensor(0);
  Value* nan = c.build.isnan(x);
  const auto dims = reduced_dims(c, 1);
  Value* total = c.build.sum(c.build.masked_fill(x, nan, 0.0), dims, c.flag(2));
  Value* count = c.build.sum(c.build.logical_not(nan), dims, c.flag(2));
  return {c.build.to_dtype(c.build.div(total, count), c.dtype())};
}

Values count_nonzero(Context& c) {
  Value* set = c.build.ne(c.tensor(0), 0);
  if (c.tensor(0)->rank() == 0) return {c.build.to_dtype(set, DType::kInt64)};
  return {c.build.sum(set, reduced_dims(c, 1), false, DType::kInt64)};
}

Values prod(Context& c) {
  Value* x = as_result(c);
  if (x->rank() == 0) return {c.build.to_dtype(x, c.dtype())};
  if (x == c.tensor(0) || c.op() != "aten.prod.default") return {};
  return {c.build.call("aten.prod.default", {x, c.dtype()}, c.dtype(), {})};
}

Values cumsum(Context& c) {
  Value* x = c.tensor(0);
  if (x->rank() == 0) return {c.build.to_dtype(x, c.dtype())};
  // The kernel takes the first number as it is, PyTorch adds it to 0, which makes 0.0 of -0.0.
  if (!is_floating_point(x->dtype()) || adds_zero(x)) return {};
  std::vector<Argument> args = c.node().args();
  args.at(0) = c.build.add(x, 0.0);
  return {c.build.call(c.op(), std::move(args), c.dtype(), c.sizes())};
}

// Steps along a dimension, each from the last.
template <class Step>
Value* running(Context& c, Value* x, int64_t dim, Step step) {
  const int64_t length = c.known(x->sizes().at(dim), "the length of its dimension");
  if (length > kMaxUnrolled) {
    c.unsupported("it is unrolled, and the dimension is too long for that");
    return x;
  }
  std::vector<Value*> parts;
  for (int64_t i = 0; i < length; ++i) {
    Value* part = c.build.narrow(x, dim, i, 1);
    parts.push_back(i == 0 ? part : step(parts.back(), part));
  }
  return length == 0 ? x : c.build.cat(parts, dim);
}

Values cumprod(Context& c) {
  Value* x = c.build.to_dtype(c.tensor(0), c.dtype());
  if (x->rank() == 0) return {x};
  return {running(c, x, c.dim(c.constant(1), x->rank()),
                  [&](Value* a, Value* b) { return c.build.mul(a, b); })};
}

Values logcumsumexp(Context& c) {
  Value* x = c.tensor(0);
  if (x->rank() == 0) return {x};
  x = c.build.add(x, 0.0);  // as for cumsum
  return {running(c, x, c.dim(c.constant(1), x->rank()), [&](Value* a, Value* b) {
    return c.build.call("aten.logaddexp.default", {a, b}, a->dtype(), a->sizes());
  })};
}

Values running_extreme(Context& c, bool greatest) {
  Value* x = c.tensor(0);
  if (x->rank() == 0) return {x, c.build.zeros({}, DType::kInt64)};
  const int64_t dim = c.dim(c.constant(1), x->rank());
  Value* values = running(c, x, dim, [&](Value* a, Value* b) {
    return greatest ? c.build.maximum(a, b) : c.build.minimum(a, b);
  });
  // The index is the last place at which the running value was itself met.
  std::vector<SymInt> line(x->sizes().size(), 1);
  line.at(dim) = x->sizes().at(dim);
  Value* place = c.build.view(c.build.arange(x->sizes().at(dim)), line);
  Value* met = c.build.eq(x, values);
  if (is_floating_point(x->dtype())) met = c.build.logical_or(met, c.build.isnan(x));
  Value* own = c.build.mul(c.build.to_dtype(met, DType::kInt64), place);
  Value* indices = running(c, own, dim, [&](Value* a, Value* b) { return c.build.maximum(a, b); });
  // Of equal elements, such as 0 and -0, the last.
  return {c.build.gather(x, dim, indices), indices};
}

Values trace(Context& c) {
  return {c.build.sum(c.build.diagonal(c.tensor(0)), {0}, false, c.dtype())};
}

Values cosine_similarity(Context& c) {
  Value* a = c.tensor(0);
  Value* b = c.tensor(1);
  const auto sizes = ir::broadcast_sizes(a->sizes(), b->sizes());
  if (!sizes.ok()) return c.unsupported("its tensors do not broadcast");
  const auto rank = static_cast<int64_t>(sizes->size());
  const int64_t dim = c.dim(c.has(2) ? c.constant(2) : 1, rank);
  const double eps = c.has(3) ? c.real(3) : 1e-8;
  a = c.build.expand(c.build.to_dtype(a, c.dtype()), *sizes);
  b = c.build.expand(c.build.to_dtype(b, c.dtype()), *sizes);
  const auto unit = [&](Value* x) {
    return c.build.div(x, c.build.clamp(vector_norm(c, x, 2.0, {dim}, true), eps, std::nullopt));
  };
  return {c.build.sum(c.build.mul(unit(a), unit(b)), {dim})};
}

Values pairwise_distance(Context& c) {
  Value* difference =
      c.build.add(c.build.sub(c.tensor(0), c.tensor(1)), c.has(3) ? c.real(3) : 1e-6);
  return {
      vector_norm(c, difference, c.has(2) ? c.real(2) : 2.0, {difference->rank() - 1}, c.flag(4))};
}

Values dist(Context& c) {
  Value* difference = c.build.sub(c.tensor(0), c.tensor(1));
  return {vector_norm(c, difference, c.has(2) ? c.real(2) : 2.0, all_dims(difference), false)};
}

Value* cdist_of(Context& c, Value* a, Value* b, double p) {
  return c.build.call("aten._cdist_forward.default", {a, b, p, ir::None{}}, c.dtype(), c.sizes());
}

Value* pdist_of(Context& c, Value* x, double p) {
  return c.build.call("aten._pdist_forward.default", {x, p}, c.dtype(), c.sizes());
}

Value* without_nan(Context& c, Value* x) { return c.build.masked_fill(x, c.build.isnan(x), 0.0); }

bool is_without_nan(const Value* x) {
  if (x->type().numel() == SymInt(0)) return true;
  while (x->producer() && x->producer()->op() == "aten._to_copy.default") {
    x = x->producer()->value(0);
  }
  return x->producer() && x->producer()->op() == "aten.masked_fill.Scalar";
}

// The kernels count NaN as a difference where p is 0, and don't see it where p is infinite: PyTorch
// gives NaN, as it and the kernels do where p is 1.
Value* with_nan(Context& c, Value* distance, Value* sum) {
  return c.build.where(c.build.isnan(sum), sum, distance);
}

Values cdist(Context& c) {
  Value* a = c.tensor(0);
  Value* b = c.tensor(1);
  const double p = c.has(2) ? c.real(2) : 2.0;
  if (p == 0 && !(is_without_nan(a) && is_without_nan(b))) {
    return {
        with_nan(c, cdist_of(c, without_nan(c, a), without_nan(c, b), p), cdist_of(c, a, b, 1.0))};
  }
  if (c.op() == "aten._cdist_forward.default") return {};
  return {cdist_of(c, a, b, p)};
}

Values pdist(Context& c) {
  Value* x = c.tensor(0);
  const double p = c.has(1) ? c.real(1) : 2.0;
  if ((p == 0 || std::isinf(p)) && !is_without_nan(x)) {
    return {with_nan(c, pdist_of(c, without_nan(c, x), p), pdist_of(c, x, 1.0))};
  }
  if (c.op() == "aten._pdist_forward.default") return {};
  return {pdist_of(c, x, p)};
}

Values of_bools(Context& c, const char* op) {
  return {c.build.call(op, {c.tensor(0)}, c.dtype(), {})};
}

// (self, p, dim, maxnorm): slices whose norm is above that one are brought to it.
Values renorm(Context& c) {
  auto& b = c.build;
  constexpr double kEpsilon = 1e-7;  // as PyTorch has it
  const bool is_half_type = is_half(c.dtype());
  Value* x = is_half_type ? b.to_dtype(c.tensor(0), DType::kFloat32) : c.tensor(0);
  std::vector<int64_t> dims;
  for (int64_t d = 0; d < x->rank(); ++d) {
    if (d != c.dim(c.constant(2), x->rank())) dims.push_back(d);
  }
  const double most = c.real(3);
  Value* norm = vector_norm(c, x, c.real(1), dims, true);
  Value* factor = b.mul(b.reciprocal(b.add(norm, kEpsilon)), most);
  factor = b.where(b.gt(norm, most), factor, b.full_like(norm, 1.0));
  if (is_half_type) return {b.mul(c.tensor(0), b.to_dtype(factor, c.dtype()))};
  return {b.mul(x, factor)};
}

constexpr Entry kReductionRules[] = {
    {"aten.sum.default aten.sum.dim_IntList", sum},
    {"aten.mean.default aten.mean.dim", mean},
    {"aten.amax.default aten.amin.default", extreme},
    {"aten.max.default", [](Context& c) { return whole_extreme(c, true); }},
    {"aten.min.default", [](Context& c) { return whole_extreme(c, false); }},
    {"aten.max.dim aten.min.dim", extreme_with_index},
    {"aten.aminmax.default", aminmax},
    {"aten.any.default aten.any.dim aten.any.dims", any},
    {"aten.all.default aten.all.dim aten.all.dims", all},
    {"aten._is_all_true.default", [](Context& c) { return of_bools(c, "aten.all.default"); }},
    {"aten._is_any_true.default", [](Context& c) { return of_bools(c, "aten.any.default"); }},
    {"aten.var.default aten.var.dim aten.var.correction", var},
    {"aten.std.default aten.std.dim aten.std.correction", std_deviation},
    {"aten.var_mean.default aten.var_mean.dim aten.var_mean.correction",
     [](Context& c) { return var_mean(c, false); }},
    {"aten.std_mean.default aten.std_mean.dim aten.std_mean.correction",
     [](Context& c) { return var_mean(c, true); }},
    {"aten.linalg_vector_norm.default", [](Context& c) { return norm(c, 1, 2, 3, 4); }},
    {"aten.linalg_norm.default", linalg_norm},
    {"aten.linalg_matrix_norm.default aten.linalg_matrix_norm.str_ord", matrix_norm},
    {"aten.norm.Scalar", [](Context& c) { return norm(c, 1, kMissing, kMissing, kPastTheEnd); }},
    {"aten.norm.ScalarOpt_dim aten.norm.ScalarOpt_dim_dtype",
     [](Context& c) { return norm(c, 1, 2, 3, 4); }},
    {"aten.norm.ScalarOpt_dtype", [](Context& c) { return norm(c, 1, kMissing, kMissing, 2); }},
    {"aten.frobenius_norm.dim", [](Context& c) { return norm(c, kPastTheEnd, 1, 2, kPastTheEnd); }},
    {"aten.logsumexp.default aten.special_logsumexp.default", logsumexp},
    {"aten._softmax.default aten.softmax.int aten.special_softmax.default",
     [](Context& c) { return softmax(c, false); }},
    {"aten._log_softmax.default aten.log_softmax.int aten.special_log_softmax.default",
     [](Context& c) { return softmax(c, true); }},
    {"aten._safe_softmax.default", safe_softmax},
    {"aten.nansum.default", nansum},
    {"aten.nanmean.default", nanmean},
    {"aten.count_nonzero.default aten.count_nonzero.dim_IntList", count_nonzero},
    {"aten.prod.default aten.prod.dim_int", prod},
    {"aten.cumsum.default", cumsum},
    {"aten.cumprod.default", cumprod},
    {"aten.logcumsumexp.default", logcumsumexp},
    {"aten.cummax.default", [](Context& c) { return running_extreme(c, true); }},
    {"aten.cummin.default", [](Context& c) { return running_extreme(c, false); }},
    {"aten.renorm.default", renorm},
    {"aten.trace.default", trace},
    {"aten.cosine_similarity.default", cosine_similarity},
    {"aten.pairwise_distance.default", pairwise_distance},
    {"aten.dist.default", dist},
    {"aten.cdist.default aten._cdist_forward.default", cdist},
    {"aten.pdist.default aten._pdist_forward.default", pdist},
};

}  // namespace

std::span<const Entry> reduction_rules() { return kReductionRules; }

}  // namespace slipway::passes::decompositions
