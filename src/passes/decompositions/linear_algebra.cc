#include "passes/decompositions/linear_algebra.h"

#include <algorithm>

#include <fmt/core.h>

#include "passes/decompositions/loops.h"

namespace slipway::passes::decompositions {
namespace {

using ir::OpBuilder;
using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

// Each turn of a loop goes over the whole matrix: with more it would take seconds.
constexpr int64_t kMostRows = 1024;

// In a turn, whose number is a tensor without dimensions: row or column k of matrices.
Value* row_at(OpBuilder& b, Value* x, Value* k) { return b.index_select(x, 1, b.view(k, {1})); }
Value* column_at(OpBuilder& b, Value* x, Value* k) { return b.index_select(x, 2, b.view(k, {1})); }

// Where each place's row comes from when the row at k and the one at `other`, [batch], change
// places; `rows` counts them, [1, n].
Value* exchange(OpBuilder& b, Value* rows, Value* k, Value* other) {
  other = b.unsqueeze(other, 1);
  return b.where(b.eq(rows, k), other, b.where(b.eq(rows, other), k, rows));
}

Value* count(Context& c, int64_t n) { return c.build.arange(SymInt(n)); }

Value* count_in_batch(Context& c, const SymInt& batch, int64_t n) {
  return c.build.expand(c.build.view(count(c, n), {1, n}), {batch, n});
}

}  // namespace

Matrices matrices(Context& c, Value* x) {
  const Sizes before = without_last(x->sizes(), 2);
  const Sizes size = last(x->sizes(), 2);
  const int64_t rows = c.known(size.at(0), "the number of rows of the matrix");
  const int64_t columns = c.known(size.at(1), "the number of columns of the matrix");
  if (std::max(rows, columns) > kMostRows) {
    c.unsupported(
        fmt::format("a matrix of {} by {} is too large: {} rows and columns are the most, since "
                    "kernels go over it once for each. Compute it outside of the exported module "
                    "and pass the result in",
                    rows, columns, kMostRows));
  }
  Value* flat = c.build.view(x, {ir::numel(before), size.at(0), size.at(1)});
  return {c.build.to_dtype(flat, DType::kFloat64), rows, columns};
}

Value* down(Context& c, int64_t n) { return c.build.view(count(c, n), {1, n, 1}); }

Value* across(Context& c, int64_t n) { return c.build.view(count(c, n), {1, 1, n}); }

Value* identity(Context& c, const SymInt& batch, int64_t n) {
  Value* one = c.build.to_dtype(c.build.eq(down(c, n), across(c, n)), DType::kFloat64);
  return c.build.expand(one, {batch, n, n});
}

Value* transposed(Context& c, Value* x) { return c.build.transpose(x, 1, 2); }

// No row is moved: the order says where each would be.
LuFactors lu_factors(Context& c, const Matrices& a) {
  const int64_t steps = std::min(a.rows, a.columns);
  const auto turn = [&](OpBuilder& b, const LoopValues& now) -> LoopResults {
    Value* k = now.scanned.at(0);
    Value* places = now.given.at(0);  // [1, rows]
    Value* x = now.state.at(0);
    Value* order = now.state.at(1);
    Value* column = b.squeeze(column_at(b, x, k), 2);
    Value* size = b.where(b.ge(places, k), b.gather(b.abs(column), 1, order),
                          b.scalar_tensor(-1.0, DType::kFloat64));
    Value* place = b.max_dim(size, 1, true).second;  // [batch, 1]
    Value* pivot_row = b.gather(order, 1, place);
    Value* is_open = b.logical_and(now.state.at(2), b.ne(places, pivot_row));
    place = b.squeeze(place, 1);
    order = b.gather(order, 1, exchange(b, places, k, place));

    Value* row = b.gather(x, 1, b.expand(b.unsqueeze(pivot_row, 2), {a.batch(), 1, a.columns}));
    Value* pivot = b.squeeze(column_at(b, row, k), 2);
    // Where a pivot is 0, all below it are.
    Value* divisor = b.where(b.eq(pivot, 0.0), b.full_like(pivot, 1.0), pivot);
    Value* zero = b.scalar_tensor(0.0, DType::kFloat64);
    Value* factors = b.where(is_open, b.div(column, divisor), zero);
    Value* reduced = b.sub(x, b.bmm(b.unsqueeze(factors, 2), row));
    row = b.where(b.ge(now.given.at(1), k), b.squeeze(row, 1), zero);
    return {{reduced, order, is_open}, {factors, row, place}};
  };
  const Sizes all = {a.batch(), a.rows};
  const LoopResults results =
      loop(c,
           {{a.x, count_in_batch(c, a.batch(), a.rows), c.build.ones(all, DType::kBool)},
            {count(c, steps)},
            {c.build.view(count(c, a.rows), {1, a.rows}),
             c.build.view(count(c, a.columns), {1, a.columns})}},
           false, turn);
  Value* order = results.state.at(1);
  Value* factors =
      c.build.gather(results.stacked.at(0), 2,
                     c.build.expand(c.build.unsqueeze(order, 0), {steps, a.batch(), a.rows}));
  Value* upper = c.build.transpose(results.stacked.at(1), 0, 1);
  return {{c.build.permute(factors, {1, 2, 0}), a.rows, steps},
          {upper, steps, a.columns},
          order,
          results.stacked.at(2),
          c.build.diagonal(upper, 0, 1, 2)};
}

Value* order_after(Context& c, Value* pivots, int64_t rows) {
  const auto turn = [](OpBuilder& b, const LoopValues& now) -> LoopResults {
    Value* from = exchange(b, now.given.at(0), now.scanned.at(0), now.scanned.at(1));
    return {{b.gather(now.state.at(0), 1, from)}, {}};
  };
  Value* steps = c.build.arange(pivots->sizes().at(0));
  Value* row = c.build.view(count(c, rows), {1, rows});
  return loop(c, {{count_in_batch(c, pivots->sizes().at(1), rows)}, {steps, pivots}, {row}}, false,
              turn)
      .state.at(0);
}

CholeskyFactor cholesky_factor(Context& c, const Matrices& a) {
  const auto turn = [&](OpBuilder& b, const LoopValues& now) -> LoopResults {
    Value* k = now.scanned.at(0);
    Value* x = now.state.at(0);
    Value* column = column_at(b, x, k);
    Value* square = row_at(b, column, k);
    column = b.where(b.ge(now.given.at(0), k), b.div(column, b.sqrt(square)),
                     b.scalar_tensor(0.0, DType::kFloat64));
    Value* reduced = b.sub(x, b.bmm(column, b.transpose(column, 1, 2)));
    return {{reduced}, {b.squeeze(column, 2), b.view(square, {a.batch()})}};
  };
  const LoopResults results = loop(c, {{a.x}, {count(c, a.rows)}, {down(c, a.rows)}}, false, turn);
  return {c.build.permute(results.stacked.at(0), {1, 2, 0}), results.stacked.at(1)};
}

QrFactors qr_factors(Context& c, const Matrices& a) {
  const auto turn = [&](OpBuilder& b, const LoopValues& now) -> LoopResults {
    Value* k = now.scanned.at(0);
    Value* rows = now.given.at(0);
    const auto [r, q] = std::pair(now.state.at(0), now.state.at(1));
    // By its largest number, so that no square leaves the type; what follows is relative to that.
    Value* column = column_at(b, r, k);
    Value* zero = b.scalar_tensor(0.0, DType::kFloat64);
    Value* largest = b.amax(b.abs(b.where(b.ge(rows, k), column, zero)), {1}, true);
    column = b.div(column, b.where(b.gt(largest, 0.0), largest, b.full_like(largest, 1.0)));
    Value* first = row_at(b, column, k);
    Value* rest = b.where(b.gt(rows, k), column, zero);
    Value* squares = b.sum(b.mul(rest, rest), {1}, true);
    // Nothing to reflect: what it would divide by is 1.
    Value* done = b.eq(squares, 0.0);
    Value* one = b.full_like(first, 1.0);
    Value* length = b.sqrt(b.add(b.mul(first, first), squares));
    Value* image = b.where(b.ge(first, 0.0), b.neg(length), length);
    Value* difference = b.sub(image, first);
    Value* factor =
        b.where(done, b.full_like(first, 0.0), b.div(difference, b.where(done, one, image)));
    Value* vector = b.div(rest, b.where(done, one, b.neg(difference)));
    vector = b.where(b.eq(rows, k), one, vector);
    Value* row_vector = b.transpose(vector, 1, 2);
    Value* scaled = b.mul(vector, factor);
    Value* next_r = b.sub(r, b.bmm(scaled, b.bmm(row_vector, r)));
    Value* next_q = b.sub(q, b.bmm(b.bmm(q, scaled), row_vector));
    return {{next_r, next_q}, {}};
  };
  const int64_t steps = std::min(a.rows, a.columns);
  const LoopResults results =
      loop(c, {{a.x, identity(c, a.batch(), a.rows)}, {count(c, steps)}, {down(c, a.rows)}}, false,
           turn);
  Value* is_lower = c.build.lt(across(c, a.columns), down(c, a.rows));
  return {results.state.at(1), c.build.masked_fill(results.state.at(0), is_lower, 0.0)};
}

Value* solve_triangle(Context& c, const Matrices& a, Value* b, bool upper, bool unit) {
  const auto turn = [&](OpBuilder& build, const LoopValues& now) -> LoopResults {
    Value* k = now.scanned.at(0);
    Value* rows = now.given.at(0);
    Value* rest = now.state.at(0);
    Value* column = column_at(build, now.given.at(1), k);
    Value* row = row_at(build, rest, k);
    if (!unit) row = build.div(row, row_at(build, column, k));
    Value* is_open = upper ? build.lt(rows, k) : build.gt(rows, k);
    column = build.where(is_open, column, build.scalar_tensor(0.0, DType::kFloat64));
    return {{build.sub(rest, build.bmm(column, row))}, {build.squeeze(row, 1)}};
  };
  const LoopResults results =
      loop(c, {{b}, {count(c, a.rows)}, {down(c, a.rows), a.x}}, upper, turn);
  return c.build.transpose(results.stacked.at(0), 0, 1);
}

}  // namespace slipway::passes::decompositions
