#include "cuda/builder/product.h"

#include <fmt/format.h>

#include "cuda/builder/rows.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

constexpr int kTile = 64;       // of m and n, for a block
constexpr int kDepth = 16;      // of k, at a time
constexpr int64_t kNarrow = 8;  // products of fewer rows or columns are not tiled
constexpr int64_t kLong = 256;  // sums of vectors that a block adds up together

bool is_at_least(const SymInt& size, int64_t least) {
  const auto known = size.constant();
  return !known || *known >= least;
}

std::string sum_of(const Product& p, const std::string& sum, const std::string& a,
                   const std::string& b) {
  if (is_floating_point(p.dtype)) return fmt::format("{0} = s_fma({1}, {2}, {0});", sum, a, b);
  return fmt::format("{0} = s_add({0}, s_mul({1}, {2}));", sum, a, b);
}

// A thread, or a block where sums are long and few, for each sum.
void emit_plain(Kernel& k, const Product& p) {
  Sizes sizes = p.batch;
  sizes.push_back(p.m);
  sizes.push_back(p.n);
  const bool is_long =
      p.k.constant().value_or(0) >= kLong && p.m == SymInt(1) && is_floating_point(p.dtype);
  Rows rows(k, sizes, is_long ? Rows::Form::kBlock : Rows::Form::kThread);
  const Indices batch(rows.at().begin(), rows.at().end() - 2);
  const std::string& m = rows.at()[rows.at().size() - 2];
  const std::string& n = rows.at().back();
  const std::string type = c_type(p.dtype);
  std::string sum;
  if (is_long) {
    sum = rows.reduce(type, "0", "s_sum", p.k, [&](const std::string& i) {
      const std::string a = p.a(k, batch, m, i);
      return fmt::format("{} * {}", a, p.b(k, batch, i, n));
    });
  } else {
    sum = k.fresh("a");
    k.line(fmt::format("{} {} = 0;", type, sum));
    rows.each(p.k, [&](const std::string& i) {
      const std::string a = p.a(k, batch, m, i);
      const std::string b = p.b(k, batch, i, n);
      k.line(sum_of(p, sum, a, b));
    });
  }
  rows.once([&] { p.store(k, batch, m, n, sum); });
}

// Loads a tile of kTile by kDepth into shared memory, zeros where the operand ends.
void load_tile(Kernel& k, const Product& p, const char* name, bool is_a, const Indices& batch,
               const std::string& first, const std::string& depth) {
  const bool along_k = is_a || p.b_is_along_k;
  k.open(fmt::format("for (int l = threadIdx.x; l < {}; l += {})", kTile * kDepth, Kernel::kBlock));
  k.line(along_k ? fmt::format("const int r = l / {0}, c = l % {0};", kDepth)
                 : fmt::format("const int r = l % {0}, c = l / {0};", kTile));
  const std::string outer = k.let("Index", fmt::format("{} + r", first));
  const std::string inner = k.let("Index", fmt::format("{} + c", depth));
  k.line(fmt::format("{} v = 0;", c_type(p.dtype)));
  k.open(fmt::format("if ({} < {} && {} < {})", outer, k.number(is_a ? p.m : p.n), inner,
                     k.number(p.k)));
  const std::string element = is_a ? p.a(k, batch, outer, inner) : p.b(k, batch, inner, outer);
  k.line(fmt::format("v = {};", element));
  k.close();
  k.line(fmt::format("{}[c][r] = v;", name));
  k.close();
}

// A block for each kTile by kTile sums, a thread for 4 by 4 of them.
void emit_tiled(Kernel& k, const Product& p) {
  const char* type = c_type(p.dtype);
  const SymInt rows = SymInt::floordiv(p.m + (kTile - 1), kTile);
  const SymInt columns = SymInt::floordiv(p.n + (kTile - 1), kTile);
  k.set_block(Kernel::kBlock);
  k.set_grid(ir::numel(p.batch) * rows * columns);
  k.line(fmt::format("__shared__ {} sa[{}][{}];", type, kDepth, kTile + 1));
  k.line(fmt::format("__shared__ {} sb[{}][{}];", type, kDepth, kTile + 1));
  const std::string block = k.let("Index", "(Index)blockIdx.x + 0");
  const Indices place = k.unravel(block, {ir::numel(p.batch), rows, columns});
  const Indices batch = k.unravel(place[0], p.batch);
  const std::string first_m = k.let("Index", times(place[1], std::to_string(kTile)));
  const std::string first_n = k.let("Index", times(place[2], std::to_string(kTile)));
  k.line("const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;");
  k.line(fmt::format("{} sums[4][4] = {{}};", type));
  k.open(fmt::format("for (Index k0 = 0; k0 < {}; k0 += {})", k.number(p.k), kDepth));
  k.line("__syncthreads();");
  load_tile(k, p, "sa", true, batch, first_m, "k0");
  load_tile(k, p, "sb", false, batch, first_n, "k0");
  k.line("__syncthreads();");
  k.line("#pragma unroll");
  k.open(fmt::format("for (int d = 0; d < {}; ++d)", kDepth));
  k.line("#pragma unroll");
  k.open("for (int i = 0; i < 4; ++i)");
  k.line("#pragma unroll");
  k.open("for (int j = 0; j < 4; ++j)");
  k.line(sum_of(p, "sums[i][j]", "sa[d][ty * 4 + i]", "sb[d][tx + 16 * j]"));
  k.close();
  k.close();
  k.close();
  k.close();
  k.line("#pragma unroll");
  k.open("for (int i = 0; i < 4; ++i)");
  k.line("#pragma unroll");
  k.open("for (int j = 0; j < 4; ++j)");
  const std::string m = k.let("Index", fmt::format("{} + ty * 4 + i", first_m));
  const std::string n = k.let("Index", fmt::format("{} + tx + 16 * j", first_n));
  k.open(fmt::format("if ({} < {} && {} < {})", m, k.number(p.m), n, k.number(p.n)));
  p.store(k, batch, m, n, "sums[i][j]");
  k.close();
  k.close();
  k.close();
}

}  // namespace

void emit_product(Kernel& kernel, const Product& product) {
  const bool is_tiled = is_at_least(product.m, kNarrow) && is_at_least(product.n, kNarrow) &&
                        is_at_least(product.k, kDepth);
  if (is_tiled) {
    emit_tiled(kernel, product);
  } else {
    emit_plain(kernel, product);
  }
}

}  // namespace slipway::cuda
