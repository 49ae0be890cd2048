// Factorizations of matrices by loops over their columns. All are of batches of matrices in
// float64, [batch, rows, columns], whose number of rows and columns is known.
#pragma once

#include <cstdint>

#include "passes/decompositions/context.h"

namespace slipway::passes::decompositions {

struct Matrices {
  ir::Value* x;
  int64_t rows;
  int64_t columns;

  const ir::SymInt& batch() const { return x->sizes().at(0); }
};

// A tensor's last two dimensions; unsupported() where they are not known, or too large for a loop
// to be of use.
Matrices matrices(Context& c, ir::Value* x);
// Counted along the rows, [1, n, 1], and along the columns, [1, 1, n].
ir::Value* down(Context& c, int64_t n);
ir::Value* across(Context& c, int64_t n);
ir::Value* identity(Context& c, const ir::SymInt& batch, int64_t n);
ir::Value* transposed(Context& c, ir::Value* x);

// By Gaussian elimination with row exchanges, as LAPACK's getrf does it.
struct LuFactors {
  Matrices lower;       // [rows, steps], 0 on its diagonal, which counts as 1, and above
  Matrices upper;       // [steps, columns]
  ir::Value* order;     // [batch, rows]: which row of the matrix is at each place
  ir::Value* pivots;    // [steps, batch]: which row each was exchanged with
  ir::Value* diagonal;  // of the upper factor, [batch, steps]
};
LuFactors lu_factors(Context& c, const Matrices& a);

// The order of rows after exchanges, [steps, batch].
ir::Value* order_after(Context& c, ir::Value* pivots, int64_t rows);

// The lower factor L with a = L * transposed(L), by the lower triangle of a alone; and what the
// squares of its diagonal are, [n, batch], which are not positive from the first place on where
// there is no such factor.
struct CholeskyFactor {
  ir::Value* lower;
  ir::Value* squares;
};
CholeskyFactor cholesky_factor(Context& c, const Matrices& a);

// By Householder's reflections, with LAPACK's signs: q is square, and r as large as a.
struct QrFactors {
  ir::Value* q;
  ir::Value* r;
};
QrFactors qr_factors(Context& c, const Matrices& a);

// The x with a * x = b, of a triangle of a; with `unit`, its diagonal counts as 1.
ir::Value* solve_triangle(Context& c, const Matrices& a, ir::Value* b, bool upper, bool unit);

}  // namespace slipway::passes::decompositions
