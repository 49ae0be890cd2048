#include "cuda/builder/thin_product.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "cuda/builder/device_code.h"
#include "cuda/builder/generator.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

constexpr int64_t kMostRows = 8;
constexpr int64_t kShortest = 32;       // sums of fewer products are left to a thread each
constexpr int64_t kEnough = 132;        // blocks, to keep the memory of a GPU busy
constexpr int64_t kUnknownLong = 1024;  // what a size is taken for that a call decides

int64_t size_of(const SymInt& size) { return size.constant().value_or(kUnknownLong); }

const char* elements_of(DType type) {
  return type == DType::kFloat16    ? "s_float16_elements"
         : type == DType::kBFloat16 ? "s_bfloat16_elements"
                                    : "s_float32_elements";
}

// How a block's threads part its sums.
struct Parting {
  int64_t threads = 0;  // that share columns, where vectors lie along k
  int64_t columns = 0;  // of these threads
  int64_t across = 0;   // vectors of a block, where they lie along the columns
  int64_t width = 0;    // columns of a block
};

Parting parting_of(const TiledProduct& p, int64_t vector) {
  Parting parting;
  const int64_t batches = size_of(ir::numel(p.batch));
  const auto blocks = [&](int64_t width) { return (size_of(p.n) + width - 1) / width * batches; };
  if (p.b.along_k) {
    parting.threads = Kernel::kBlock;
    while (parting.threads > 8 && parting.threads * vector > size_of(p.k)) parting.threads /= 2;
    const int64_t groups = Kernel::kBlock / parting.threads;
    parting.columns = 4;
    while (parting.columns > 1 && blocks(groups * parting.columns) < 2 * kEnough) {
      parting.columns /= 2;
    }
    parting.width = groups * parting.columns;
  } else {
    parting.across = 8;
    while (parting.across > 2 && blocks(parting.across * vector) < kEnough) parting.across /= 2;
    parting.width = parting.across * vector;
  }
  return parting;
}

// const auto row = [&](...) {...}: what gives the elements of a.
void emit_rows(Kernel& k, const ThinProduct& thin, const Indices& batch, int64_t vector) {
  const TiledProduct& p = thin.product;
  const std::string depth = k.number(p.k);
  if (!p.b.along_k) {
    k.open("const auto row = [&](int ra, Index ka) -> float");
    const std::string element = p.a.element(k, batch, "ra", "ka");
    k.line(fmt::format("return {};", element));
  } else if (p.a.buffer && p.a.along_k && vector_of(thin.a_type) <= vector) {
    const std::string memory = k.buffer(*p.a.buffer, thin.a_type, false);
    k.open(fmt::format("const auto row = [&](int ra, Index ka, float (&to)[{}])", vector));
    const std::string place = p.a.place(k, batch, "ra", "ka");
    k.line(fmt::format("s_load_floats<{}, {}, Index>({} + {}, {} - ka, {}, to);",
                       elements_of(thin.a_type), vector, memory, place, depth,
                       is_aligned(k, *p.a.buffer, memory)));
  } else {
    k.open(fmt::format("const auto row = [&](int ra, Index ka, float (&to)[{}])", vector));
    k.line("#pragma unroll");
    k.open(fmt::format("for (int i = 0; i < {}; ++i)", vector));
    k.line("to[i] = 0;");
    k.open(fmt::format("if (ka + i < {})", depth));
    const std::string element = p.a.element(k, batch, "ra", "(ka + i)");
    k.line(fmt::format("to[i] = {};", element));
    k.close();
    k.close();
  }
  k.close();
  k.line(";");
}

}  // namespace

bool is_thin(const SymInt& rows, const SymInt& k) {
  const auto known = rows.constant();
  return known && *known >= 1 && *known <= kMostRows &&
         k.constant().value_or(kShortest) >= kShortest;
}

void emit_thin_product(Kernel& k, const ThinProduct& thin) {
  const TiledProduct& p = thin.product;
  k.generator().use(builder::kThinProduct);
  const int64_t vector = vector_of(thin.b_type);
  const Parting parting = parting_of(p, vector);
  const SymInt tiles = SymInt::floordiv(p.n + (parting.width - 1), parting.width);
  const SymInt batches = ir::numel(p.batch);
  k.set_block(Kernel::kBlock);
  k.use_short_indices();
  k.set_grid(batches * tiles);
  const std::string block = k.let("Index", "(Index)blockIdx.x + 0");
  const Indices at = k.unravel(block, {batches, tiles});
  const Indices batch = k.unravel(at[0], p.batch);
  const std::string first = k.let("Index", times(at[1], std::to_string(parting.width)));
  const std::string depth = k.number(p.k);
  const std::string columns = k.number(p.n);
  emit_rows(k, thin, batch, vector);
  const std::string memory = k.buffer(*p.b.buffer, thin.b_type, false);
  k.open("const auto weights = [&](int column, Index kb) -> s_vector");
  const std::string nb = k.let("Index", plus(first, "column"));
  const std::string count = p.b.along_k ? fmt::format("{} < {} ? {} - kb : 0", nb, columns, depth)
                                        : fmt::format("kb < {} ? {} - {} : 0", depth, columns, nb);
  const std::string place = p.b.place(k, batch, nb, "kb");
  k.line(fmt::format("return s_load_vector<{}, Index>({} + {}, {}, {});", elements_of(thin.b_type),
                     memory, place, count, is_aligned(k, *p.b.buffer, memory)));
  k.close();
  k.line(";");
  const int64_t rows = p.m.constant().value();
  const std::string form =
      p.b.along_k ? fmt::format("s_thin_along_k<{}, {}, {}, {}, Index>", elements_of(thin.b_type),
                                rows, parting.columns, parting.threads)
                  : fmt::format("s_thin_along_columns<{}, {}, {}, Index>", elements_of(thin.b_type),
                                rows, parting.across);
  k.open(
      fmt::format("{}({}, row, weights, [&](int column, int row_of_sum, float sum)", form, depth));
  const std::string n = k.let("Index", plus(first, "column"));
  k.open(fmt::format("if ({} < {})", n, columns));
  p.store(k, batch, "row_of_sum", n, "sum");
  k.close();
  k.close();
  k.line(");");
}

}  // namespace slipway::cuda
