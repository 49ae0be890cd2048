// Inverses, determinants, factorizations and the solutions of linear equations, in float64 whatever
// the matrices' type is. What PyTorch finds to be an error in the numbers, such as a singular
// matrix, is one when the program runs.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "passes/decompositions/linear_algebra.h"
#include "passes/decompositions/loops.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

Value* as_output(Context& c, size_t i, Value* x) {
  const Value* output = c.output(i);
  return c.build.view(c.build.to_dtype(x, output->dtype()), output->sizes());
}

// The place from 1 on of the first that is bad, along a dimension of `bad`, or 0: LAPACK's info.
Value* first_bad(Context& c, Value* bad, int64_t dim) {
  const SymInt count = bad->sizes().at(dim);
  if (count == SymInt(0)) return c.build.zeros({bad->sizes().at(1 - dim)}, DType::kInt64);
  Sizes line(2, 1);
  line.at(dim) = count;
  Value* place = c.build.view(c.build.arange(SymInt(1), count + 1), line);
  place = c.build.where(bad, place, c.build.full_like(place, count + 1));
  place = c.build.amin(place, {dim});
  return c.build.masked_fill(place, c.build.gt(place, count), SymInt(0));
}

// The tensor, unless there is an info that is not 0.
Value* checked(Context& c, Value* x, Value* info) {
  return c.unless(c.build.any(c.build.ne(info, 0)), x);
}

Value* info_of(Context& c, const LuFactors& factors) {
  return first_bad(c, c.build.eq(factors.diagonal, 0.0), 1);
}

// The rows of x in an order, [batch, rows].
Value* ordered(Context& c, Value* x, Value* order) {
  return c.build.gather(x, 1, c.build.expand(c.build.unsqueeze(order, 2), x->sizes()));
}

Value* solve_by(Context& c, const LuFactors& factors, Value* b) {
  Value* y = solve_triangle(c, factors.lower, ordered(c, b, factors.order), false, true);
  return solve_triangle(c, factors.upper, y, true, false);
}

bool is_square(Context& c, const Matrices& a) {
  if (a.rows == a.columns) return true;
  c.unsupported("its matrix is not square");
  return false;
}

// (A, check_errors) -> (inverse, info), of A as matrices
Values inverse(Context& c, Value* matrix, bool checks) {
  const Matrices a = matrices(c, matrix);
  if (!is_square(c, a)) return {};
  const LuFactors factors = lu_factors(c, a);
  Value* info = info_of(c, factors);
  Value* x = solve_by(c, factors, identity(c, a.batch(), a.rows));
  x = as_output(c, 0, checks ? checked(c, x, info) : x);
  if (c.output_count() == 1) return {x};
  return {x, as_output(c, 1, info)};
}

// The equations' two sides, their batches broadcast, as a * x = b.
struct Equations {
  Value* a;  // before matrices()
  Value* b;
  bool left;

  // x as it was asked for.
  Value* result(Context& c, Value* x) const { return as_output(c, 0, left ? x : transposed(c, x)); }
};

// `takes_vectors`: b may be one vector for each matrix.
Equations equations(Context& c, Value* a, Value* b, bool left, bool takes_vectors) {
  const Sizes before = without_last(a->sizes(), 1);
  const bool is_vector = b->rank() == 1 || (a->rank() == b->rank() + 1 && b->sizes() == before);
  if (is_vector && takes_vectors) b = c.build.unsqueeze(b, -1);
  auto batch = ir::broadcast_sizes(without_last(a->sizes(), 2), without_last(b->sizes(), 2));
  if (!batch.ok()) {
    c.unsupported(batch.error().message());
    return {a, b, left};
  }
  const auto expanded = [&](Value* x) {
    Sizes sizes = *batch;
    for (const SymInt& size : last(x->sizes(), 2)) sizes.push_back(size);
    x = c.build.expand(x, sizes);
    return left ? x : c.build.transpose(x, -1, -2);
  };
  return {expanded(a), expanded(b), left};
}

Value* right_side(Context& c, Value* b) {
  const Sizes size = last(b->sizes(), 2);
  Value* flat = c.build.view(b, {ir::numel(without_last(b->sizes(), 2)), size.at(0), size.at(1)});
  return c.build.to_dtype(flat, DType::kFloat64);
}

// (A, B, left, check_errors) -> (result, info), (result, LU, pivots, info) or the result alone
Values solve(Context& c, bool checks) {
  const Equations both = equations(c, c.tensor(0), c.tensor(1), !c.has(2) || c.flag(2), true);
  const Matrices a = matrices(c, both.a);
  if (!is_square(c, a)) return {};
  const LuFactors factors = lu_factors(c, a);
  Value* info = info_of(c, factors);
  Value* x = solve_by(c, factors, right_side(c, both.b));
  Values values = {both.result(c, checks ? checked(c, x, info) : x)};
  values.resize(c.output_count());
  if (values.size() > 1) {
    // One for each matrix of A, which all right sides share.
    const size_t i = values.size() - 1;
    const bool has_own = c.output(i)->type().numel() == info->type().numel();
    values.at(i) = has_own ? as_output(c, i, info) : nullptr;
  }
  return values;
}

// (A, B, upper, left, unitriangular)
Values solve_triangular(Context& c) {
  const bool left = !c.has(3) || c.flag(3);
  const Equations both = equations(c, c.tensor(0), c.tensor(1), left, false);
  const Matrices a = matrices(c, both.a);
  if (!is_square(c, a)) return {};
  const bool upper = c.flag(2) == left;
  return {both.result(c, solve_triangle(c, a, right_side(c, both.b), upper, c.flag(4)))};
}

// (b, A, upper, transpose, unitriangular) -> (x, A)
Values triangular_solve(Context& c) {
  Value* matrix = c.tensor(1);
  const bool transposes = c.flag(3);
  if (transposes) matrix = c.build.transpose(matrix, -1, -2);
  const Equations both = equations(c, matrix, c.tensor(0), true, false);
  const Matrices a = matrices(c, both.a);
  if (!is_square(c, a)) return {};
  const bool upper = (!c.has(2) || c.flag(2)) != transposes;
  Value* x = solve_triangle(c, a, right_side(c, both.b), upper, c.flag(4));
  return {both.result(c, x), c.build.expand(c.tensor(1), c.output(1)->sizes())};
}

// (A, pivot, check_errors) -> (LU, pivots, info) or without the last
Values lu_factor(Context& c) {
  if (c.has(1) && !c.flag(1)) return c.unsupported("rows are exchanged: pivot=False is not");
  const Matrices a = matrices(c, c.tensor(0));
  const LuFactors factors = lu_factors(c, a);
  const int64_t steps = factors.lower.columns;
  Value* lu = c.build.add(c.build.constant_pad_nd(factors.lower.x, {0, a.columns - steps}),
                          c.build.constant_pad_nd(factors.upper.x, {0, 0, 0, a.rows - steps}));
  Value* info = info_of(c, factors);
  if (c.output_count() == 2 || c.flag(2)) lu = checked(c, lu, info);
  Value* pivots = c.build.add(c.build.transpose(factors.pivots, 0, 1), 1);
  Values values = {as_output(c, 0, lu), as_output(c, 1, pivots)};
  if (c.output_count() == 3) values.push_back(as_output(c, 2, info));
  return values;
}

// (A, pivot) -> (P, L, U)
Values lu(Context& c) {
  if (c.has(1) && !c.flag(1)) return c.unsupported("rows are exchanged: pivot=False is not");
  const Matrices a = matrices(c, c.tensor(0));
  const LuFactors factors = lu_factors(c, a);
  Value* place = c.build.eq(down(c, a.rows), c.build.unsqueeze(factors.order, 1));
  Value* one = c.build.eq(down(c, a.rows), across(c, factors.lower.columns));
  Value* lower = c.build.add(factors.lower.x, c.build.to_dtype(one, DType::kFloat64));
  return {as_output(c, 0, place), as_output(c, 1, lower), as_output(c, 2, factors.upper.x)};
}

Values lu_solve(Context& c, Value* lu, Value* pivots, Value* b) {
  const Matrices a = matrices(c, lu);
  if (!is_square(c, a)) return {};
  if (without_last(b->sizes(), 2) != without_last(lu->sizes(), 2)) {
    return c.unsupported("its matrices and right sides differ in number: expand them");
  }
  pivots = c.build.view(pivots, {a.batch(), a.rows});
  pivots = c.build.sub(c.build.to_dtype(c.build.transpose(pivots, 0, 1), DType::kInt64), 1);
  const LuFactors factors{a, a, order_after(c, pivots, a.rows), nullptr, nullptr};
  return {as_output(c, 0, solve_by(c, factors, right_side(c, b)))};
}

// (LU, pivots, B, left, adjoint)
Values linalg_lu_solve(Context& c) {
  if ((c.has(3) && !c.flag(3)) || c.flag(4)) {
    return c.unsupported("A x = B is solved: solve A' x' = B' instead of x A = B");
  }
  return lu_solve(c, c.tensor(0), c.tensor(1), c.tensor(2));
}

// (A, B, dims): x with tensordot(A, x, x.ndim) = B
Values tensor_solve(Context& c) {
  Value* a = c.tensor(0);
  Value* b = c.tensor(1);
  if (c.has(2)) {
    const std::vector<int64_t> behind = c.dims(c.constants(2), a->rank());
    std::vector<int64_t> order;
    for (int64_t d = 0; d < a->rank(); ++d) {
      if (std::find(behind.begin(), behind.end(), d) == behind.end()) order.push_back(d);
    }
    order.insert(order.end(), behind.begin(), behind.end());
    a = c.build.permute(a, std::move(order));
  }
  const SymInt size = ir::numel(b->sizes());
  const Matrices equation = matrices(c, c.build.view(a, {size, ir::numel(c.sizes())}));
  if (!is_square(c, equation)) return {};
  const LuFactors factors = lu_factors(c, equation);
  Value* x = solve_by(c, factors, right_side(c, c.build.view(b, {size, SymInt(1)})));
  return {as_output(c, 0, checked(c, x, info_of(c, factors)))};
}

// (A, ind): the first `ind` dimensions are the rows.
Values tensor_inverse(Context& c) {
  Value* a = c.tensor(0);
  const int64_t count = c.has(1) ? c.constant(1) : 2;
  if (count < 1 || count > a->rank()) return c.unsupported("it has fewer dimensions than 'ind'");
  const auto middle = a->sizes().begin() + count;
  Value* flat = c.build.view(a, {ir::numel(Sizes(a->sizes().begin(), middle)),
                                 ir::numel(Sizes(middle, a->sizes().end()))});
  return inverse(c, flat, true);
}

// (A, p): the norm of A times that of its inverse, infinity where there is none.
Values condition_number(Context& c) {
  const bool is_frobenius = c.op() == "aten.linalg_cond.p_str" && c.text(1) == "fro";
  const double p = c.op() == "aten.linalg_cond.default" && c.has(1) ? c.real(1) : 2;
  if (!is_frobenius && std::abs(p) != 1 && !std::isinf(p)) {
    return c.unsupported("it takes singular values: use p=1, -1, inf, -inf or 'fro'");
  }
  const Matrices a = matrices(c, c.tensor(0));
  if (!is_square(c, a)) return {};
  if (a.rows == 0) return {c.build.zeros(c.sizes(), c.dtype())};
  const LuFactors factors = lu_factors(c, a);
  const auto norm = [&](Value* x) {
    if (is_frobenius) return c.build.sqrt(c.build.sum(c.build.mul(x, x), {1, 2}));
    Value* sums = c.build.sum(c.build.abs(x), {std::isinf(p) ? 2 : 1});
    return p > 0 ? c.build.amax(sums, {1}) : c.build.amin(sums, {1});
  };
  Value* inverse = solve_by(c, factors, identity(c, a.batch(), a.rows));
  Value* result = c.build.mul(norm(a.x), norm(inverse));
  Value* has_none = c.build.ne(info_of(c, factors), 0);
  return {as_output(
      c, 0, c.build.masked_fill(result, has_none, std::numeric_limits<double>::infinity()))};
}

struct Determinant {
  Value* sign;     // [batch], of the exchanges alone
  Value* factors;  // [batch, n]
};

Determinant determinant(Context& c, const Matrices& a) {
  const LuFactors factors = lu_factors(c, a);
  Value* stays = c.build.view(c.build.arange(SymInt(a.rows)), {a.rows, 1});
  Value* moved = c.build.to_dtype(c.build.ne(factors.pivots, stays), DType::kInt64);
  Value* odd = c.build.remainder(c.build.sum(moved, {0}), 2);
  Value* sign = c.build.to_dtype(c.build.rsub(c.build.mul(odd, 2), SymInt(1)), DType::kFloat64);
  return {sign, factors.diagonal};
}

// A -> result, or (result, LU, pivots)
Values det(Context& c) {
  const Matrices a = matrices(c, c.tensor(0));
  if (!is_square(c, a)) return {};
  const Determinant d = determinant(c, a);
  Values values = {as_output(c, 0, c.build.mul(d.sign, c.build.prod(d.factors, 1)))};
  values.resize(c.output_count());
  return values;
}

// The determinant's sign and the logarithm of its size.
std::pair<Value*, Value*> sign_and_log(Context& c) {
  const Matrices a = matrices(c, c.tensor(0));
  const Determinant d = determinant(c, a);
  Value* sign = c.build.mul(d.sign, c.build.prod(c.build.sign(d.factors), 1));
  return {sign, c.build.sum(c.build.log(c.build.abs(d.factors)), {1})};
}

// A -> (sign, logabsdet), or (sign, logabsdet, LU, pivots)
Values slogdet(Context& c) {
  const auto [sign, log] = sign_and_log(c);
  Values values = {as_output(c, 0, sign), as_output(c, 1, log)};
  values.resize(c.output_count());
  return values;
}

Values logdet(Context& c) {
  const auto [sign, log] = sign_and_log(c);
  Value* root = c.build.log(sign);  // NaN for a negative determinant, else 0 or -infinity
  return {as_output(c, 0, c.build.add(log, root))};
}

// (A, upper, check_errors) -> (L, info), or L alone
Values cholesky(Context& c) {
  const bool upper = c.flag(1);
  Matrices a = matrices(c, c.tensor(0));
  if (!is_square(c, a)) return {};
  if (upper) a.x = transposed(c, a.x);
  const CholeskyFactor factor = cholesky_factor(c, a);
  Value* info = first_bad(c, c.build.logical_not(c.build.gt(factor.squares, 0.0)), 0);
  const bool checks = c.output_count() == 1 || c.flag(2);
  Value* result = upper ? transposed(c, factor.lower) : factor.lower;
  result = as_output(c, 0, checks ? checked(c, result, info) : result);
  if (c.output_count() == 1) return {result};
  return {result, as_output(c, 1, info)};
}

// x with l * transposed(l) * x = b
Value* solve_by_cholesky(Context& c, Matrices l, Value* b, bool upper) {
  Matrices other{transposed(c, l.x), l.columns, l.rows};
  if (upper) std::swap(l, other);
  return solve_triangle(c, other, solve_triangle(c, l, b, false, false), true, false);
}

// (b, factor, upper)
Values cholesky_solve(Context& c) {
  const Equations both = equations(c, c.tensor(1), c.tensor(0), true, false);
  const Matrices a = matrices(c, both.a);
  if (!is_square(c, a)) return {};
  return {both.result(c, solve_by_cholesky(c, a, right_side(c, both.b), c.flag(2)))};
}

// (factor, upper)
Values cholesky_inverse(Context& c) {
  const Matrices a = matrices(c, c.tensor(0));
  if (!is_square(c, a)) return {};
  return {as_output(c, 0, solve_by_cholesky(c, a, identity(c, a.batch(), a.rows), c.flag(1)))};
}

// (A, mode) -> (Q, R)
Values qr(Context& c) {
  const std::string mode = c.has(1) ? c.text(1) : "reduced";
  const Matrices a = matrices(c, c.tensor(0));
  auto [q, r] = qr_factors(c, a);
  const int64_t size = std::min(a.rows, a.columns);
  if (mode != "complete") {
    q = c.build.narrow(q, 2, 0, size);
    r = c.build.narrow(r, 1, 0, size);
  }
  Value* none = mode == "r" ? c.build.zeros(c.sizes(), c.dtype()) : nullptr;
  return {none ? none : as_output(c, 0, q), as_output(c, 1, r)};
}

Values checked_inverse(Context& c) { return inverse(c, c.tensor(0), true); }

constexpr Entry kLinearAlgebraRules[] = {
    {"aten.linalg_inv.default aten.inverse.default", checked_inverse},
    {"aten.linalg_inv_ex.default", [](Context& c) { return inverse(c, c.tensor(0), c.flag(1)); }},
    {"aten.linalg_solve.default", [](Context& c) { return solve(c, true); }},
    {"aten.linalg_solve_ex.default aten._linalg_solve_ex.default",
     [](Context& c) { return solve(c, c.flag(3)); }},
    {"aten.linalg_solve_triangular.default", solve_triangular},
    {"aten.triangular_solve.default", triangular_solve},
    {"aten.linalg_lu_factor.default aten.linalg_lu_factor_ex.default", lu_factor},
    {"aten.linalg_lu.default", lu},
    {"aten.linalg_lu_solve.default", linalg_lu_solve},
    {"aten.lu_solve.default",
     [](Context& c) { return lu_solve(c, c.tensor(1), c.tensor(2), c.tensor(0)); }},
    {"aten.linalg_det.default aten.det.default aten._linalg_det.default", det},
    {"aten.linalg_slogdet.default aten.slogdet.default aten._linalg_slogdet.default", slogdet},
    {"aten.logdet.default", logdet},
    {"aten.linalg_cholesky.default aten.linalg_cholesky_ex.default", cholesky},
    {"aten.cholesky_solve.default", cholesky_solve},
    {"aten.cholesky_inverse.default", cholesky_inverse},
    {"aten.linalg_qr.default", qr},
    {"aten.linalg_tensorsolve.default", tensor_solve},
    {"aten.linalg_tensorinv.default", tensor_inverse},
    {"aten.linalg_cond.default aten.linalg_cond.p_str", condition_number},
};

}  // namespace

std::span<const Entry> linear_algebra_rules() { return kLinearAlgebraRules; }

}  // namespace slipway::passes::decompositions
