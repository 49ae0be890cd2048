#include "cuda/builder/packed_product.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "cuda/builder/device_code.h"
#include "cuda/builder/generator.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

constexpr int64_t kWarps = 16;
constexpr int64_t kMostBlocks = 264;  // two for each processor of a large GPU
constexpr int64_t kMostAhead = 4;     // units under way

struct Shape {
  int64_t tiles = 1;  // of a block
  int64_t ahead = 1;
};

Shape shape_of(int64_t tiles, int64_t units) {
  Shape shape;
  while (shape.tiles < kWarps &&
         (kWarps / shape.tiles > units || tiles / shape.tiles > kMostBlocks)) {
    shape.tiles *= 2;
  }
  const int64_t share = kWarps / shape.tiles;
  shape.ahead = std::clamp<int64_t>((units + share - 1) / share, 1, kMostAhead);
  return shape;
}

}  // namespace

bool is_packed_product(const ThinProduct& thin) {
  const TiledOperand& a = thin.product.a;
  return thin.packed && thin.packed->tiles && a.buffer && a.along_k &&
         thin.a_type == thin.packed->tiles->type && ir::numel(thin.product.batch) == SymInt(1);
}

void emit_packed_product(Kernel& k, const ThinProduct& thin) {
  const TiledProduct& p = thin.product;
  const PackedTiles& packed = *thin.packed->tiles;
  k.generator().use(builder::kProductTiles);
  k.generator().use(builder::kThinProduct);
  k.generator().use(builder::kPackedProduct);
  const int64_t tiles = (p.n.constant().value() + 15) / 16;
  const Shape shape = shape_of(tiles, packed.units);
  k.set_block(static_cast<int>(kWarps * 32));
  k.set_residents(shape.ahead > 2 ? 1 : 2);
  k.use_short_indices();
  k.wait_itself(/*loads_before=*/true);
  k.set_grid((tiles + shape.tiles - 1) / shape.tiles);
  const Indices batch(p.batch.size(), "0");
  const std::string block = k.let("Index", "(Index)blockIdx.x + 0");
  const std::string first = k.let("Index", times(block, std::to_string(shape.tiles)));
  // Where the last block has fewer tiles, it computes the last one again.
  k.open("const auto tile = [&](int of_block) -> Index");
  const std::string place = plus(first, "of_block");
  k.line(tiles % shape.tiles == 0 ? fmt::format("return {};", place)
                                  : fmt::format("return {0} < {1} ? {0} : {1};", place, tiles - 1));
  k.close();
  k.line(";");
  const std::string codes = k.buffer(packed.code_buffer(k.generator()), DType::kUInt8, false);
  k.open("const auto codes = [&](int of_block, Index unit) -> const s_vector*");
  k.line(fmt::format("return (const s_vector*){} + (tile(of_block) * {} + unit) * 64;", codes,
                     packed.units));
  k.close();
  k.line(";");
  const std::string shared = k.buffer(packed.factor_buffer(k.generator()), DType::kUInt8, false);
  k.open("const auto factors = [&](int of_block, int column, Index ka) -> s_factors");
  std::string group = packed.groups == 1 ? "0" : fmt::format("ka / {}", packed.group);
  // A unit may be longer than what is multiplied.
  if (packed.groups > 1) {
    group = fmt::format("(ka < {} ? {} : 0)", packed.group * packed.groups, group);
  }
  k.line(fmt::format("return ((const s_factors*){})[(tile(of_block) * {} + {}) * 16 + column];",
                     shared, packed.groups, group));
  k.close();
  k.line(";");
  k.open("const auto vector = [&](int ra, Index ka) -> s_vector");
  const std::string memory = k.buffer(*p.a.buffer, thin.a_type, false);
  const std::string depth = k.number(p.k);
  const std::string element = p.a.place(k, batch, "ra", "ka");
  k.line(fmt::format("return s_load_vector<{}, Index>({} + {}, {} - ka, {});",
                     thin.a_type == DType::kFloat16 ? "s_float16_elements" : "s_bfloat16_elements",
                     memory, element, depth, is_aligned(k, *p.a.buffer, memory)));
  k.close();
  k.line(";");
  const char* product = half_product(packed.type);
  k.open(
      fmt::format("s_packed_product<{0}, {1}<{0}, {2}>, {2}, {3}, {4}, {5}, {6}, Index>({7}, "
                  "codes, factors, vector, [&](int column, int row_of_sum, float sum)",
                  product, packed.codes, thin.packed->bits, kWarps, shape.tiles, shape.ahead,
                  p.m.constant().value(), packed.units));
  const std::string n = k.let("Index", plus(times(first, "16"), "column"));
  k.open(fmt::format("if ({} < {})", n, k.number(p.n)));
  p.store(k, batch, "row_of_sum", n, "sum");
  k.close();
  k.close();
  k.line(");");
}

}  // namespace slipway::cuda
