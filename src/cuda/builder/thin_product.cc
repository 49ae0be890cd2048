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
constexpr int64_t kShortest = 32;  // sums of fewer products are left to a thread each
constexpr int64_t kEnough = 132;   // blocks, to keep the memory of a GPU busy
constexpr int64_t kChunk = 8;      // elements of a row that a thread takes at once, at the most
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

Parting parting_of(const TiledProduct& p, bool along_k, int64_t vector) {
  Parting parting;
  const int64_t batches = size_of(ir::numel(p.batch));
  const auto blocks = [&](int64_t width) { return (size_of(p.n) + width - 1) / width * batches; };
  if (along_k) {
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

// Whether b's vectors lie along k.
bool is_along_k(const ThinProduct& thin) { return thin.packed || thin.product.b.along_k; }

// const auto row = [&](...) {...}: what gives the elements of a.
void emit_rows(Kernel& k, const ThinProduct& thin, const Indices& batch, int64_t count) {
  const TiledProduct& p = thin.product;
  const std::string depth = k.number(p.k);
  if (!is_along_k(thin)) {
    k.open("const auto row = [&](int ra, Index ka) -> float");
    const std::string element = p.a.element(k, batch, "ra", "ka");
    k.line(fmt::format("return {};", element));
  } else if (p.a.buffer && p.a.along_k && vector_of(thin.a_type) <= count) {
    const std::string memory = k.buffer(*p.a.buffer, thin.a_type, false);
    k.open(fmt::format("const auto row = [&](int ra, Index ka, float (&to)[{}])", count));
    const std::string place = p.a.place(k, batch, "ra", "ka");
    k.line(fmt::format("s_load_floats<{}, {}, Index>({} + {}, {} - ka, {}, to);",
                       elements_of(thin.a_type), count, memory, place, depth,
                       is_aligned(k, *p.a.buffer, memory)));
  } else {
    k.open(fmt::format("const auto row = [&](int ra, Index ka, float (&to)[{}])", count));
    k.line("#pragma unroll");
    k.open(fmt::format("for (int i = 0; i < {}; ++i)", count));
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

// const auto weights = [&](column, k): a vector of b.
void emit_vectors(Kernel& k, const ThinProduct& thin, const Indices& batch,
                  const std::string& first) {
  const TiledProduct& p = thin.product;
  const std::string depth = k.number(p.k);
  const std::string columns = k.number(p.n);
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
}

// The same of codes, with what they share; const auto weight = [&](vector, i) -> float: one of its
// weights.
void emit_packed(Kernel& k, const ThinProduct& thin, const std::string& first) {
  const PackedWeights& packed = *thin.packed;
  const std::string columns = k.number(thin.product.n);
  k.open("struct Packed");
  k.line("s_vector codes;");
  std::vector<std::string> elements;
  for (size_t i = 0; i < packed.shared.size(); ++i) {
    k.line(fmt::format("{} n{};", c_type(packed.shared[i].base->dtype), i));
    elements.push_back(fmt::format("packed.n{}", i));
  }
  k.close();
  k.line(";");
  k.open("const auto weights = [&](int column, Index kb) -> Packed");
  k.line("Packed packed = {};");
  const std::string nb = k.let("Index", plus(first, "column"));
  k.open(fmt::format("if ({} < {})", nb, columns));
  const std::string memory = k.buffer(packed.buffer(k.generator()), DType::kUInt8, false);
  const std::string place =
      plus(times(nb, k.number(SymInt::floordiv(thin.product.k * packed.bits, 8))),
           packed.bits == 8 ? "kb" : "(kb / 2)");
  k.line(fmt::format("packed.codes = *(const s_vector*)({} + {});", memory, place));
  const Indices at = packed.matrix.at({}, nb, "kb");
  for (size_t i = 0; i < packed.shared.size(); ++i) {
    const std::string number = load(k, packed.shared[i], at);
    k.line(fmt::format("{} = {};", elements[i], number));
  }
  k.close();
  k.line("return packed;");
  k.close();
  k.line(";");
  k.open("const auto weight = [&](const Packed& packed, int i) -> float");
  const std::string code =
      packed.are_floats ? "s_code_as_float" : fmt::format("({})s_code", c_type(packed.type));
  elements.insert(elements.begin(), fmt::format("{}<{}, {}>(packed.codes, i)", code, packed.bits,
                                                packed.type == DType::kInt8));
  const std::string element = packed.weight(k, elements);
  k.line(fmt::format("return {};", element));
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
  const int64_t vector = thin.packed ? thin.packed->vector() : vector_of(thin.b_type);
  const Parting parting = parting_of(p, is_along_k(thin), vector);
  const SymInt tiles = SymInt::floordiv(p.n + (parting.width - 1), parting.width);
  const SymInt batches = ir::numel(p.batch);
  k.set_block(Kernel::kBlock);
  k.use_short_indices();
  if (thin.packed || (p.b.along_k && k.generator().is_constant(*p.b.buffer))) {
    k.wait_itself(/*loads_before=*/true);
  }
  k.set_grid(batches * tiles);
  const std::string block = k.let("Index", "(Index)blockIdx.x + 0");
  const Indices at = k.unravel(block, {batches, tiles});
  const Indices batch = k.unravel(at[0], p.batch);
  const std::string first = k.let("Index", times(at[1], std::to_string(parting.width)));
  const std::string depth = k.number(p.k);
  const std::string columns = k.number(p.n);
  const int64_t chunk = std::min(vector, kChunk);
  emit_rows(k, thin, batch, chunk);
  std::string weight = "weight";
  if (thin.packed) {
    emit_packed(k, thin, first);
  } else {
    emit_vectors(k, thin, batch, first);
    weight = fmt::format("[](const s_vector& vector, int i) {{ return {}::get(vector, i); }}",
                         elements_of(thin.b_type));
  }
  const int64_t rows = p.m.constant().value();
  k.open(
      is_along_k(thin)
          ? fmt::format("s_thin_along_k<{}, {}, {}, {}, {}, Index>({}, row, weights, {}, [&](int "
                        "column, int row_of_sum, float sum)",
                        vector, chunk, rows, parting.columns, parting.threads, depth, weight)
          : fmt::format("s_thin_along_columns<{}, {}, {}, Index>({}, row, weights, [&](int "
                        "column, int row_of_sum, float sum)",
                        elements_of(thin.b_type), rows, parting.across, depth));
  const std::string n = k.let("Index", plus(first, "column"));
  k.open(fmt::format("if ({} < {})", n, columns));
  p.store(k, batch, "row_of_sum", n, "sum");
  k.close();
  k.close();
  k.line(");");
}

}  // namespace slipway::cuda
