#include "cuda/builder/tiled_product.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/half.h"
#include "cuda/builder/device_code.h"
#include "cuda/builder/generator.h"
#include "cuda/builder/library_graph.h"
#include "cuda/builder/library_product.h"
#include "cuda/builder/options.h"
#include "cuda/builder/tile_plans.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

// What swizzled tiles have besides, to begin at a multiple of as many bytes.
constexpr int kSwizzled = 1024;
// What blocks that share have besides: two maps of matrices, and barriers.
constexpr int kMapBytes = 256;
constexpr int kClusterBytes = kMapBytes + 256;
// What warps put their sums by.
int put_bytes(const Tile& tile) { return tile.m / 16 * 16 * (tile.put_width + 8) * 4; }
// How many warps share each sum of halves.
int slices_of(const Tile& tile) {
  return tile.threads / 32 / ((tile.m / tile.warp_m) * (tile.n / tile.warp_n));
}

const char* element_type(DType type) { return is_half(type) ? "unsigned short" : "float"; }

std::string as_element(const std::string& value, DType type) {
  if (type == DType::kFloat16) return fmt::format("s_to_float16({})", value);
  if (type == DType::kBFloat16) return fmt::format("s_to_bfloat16({})", value);
  return value;
}

// const auto load_<name> = [&](T* tile, Index k) {...};
void emit_load(Kernel& k, const TiledProduct& p, const TiledOperand& operand,
               const std::string& name, const Indices& batch, const std::string& first,
               const SymInt& rows, const std::string& end) {
  const TileLoader loader = emit_tile_loader(k, operand, p.type, name, batch);
  k.open(fmt::format("const auto load_{} = [&]({}* tile, Index k)", name, element_type(p.type)));
  k.line(fmt::format("{}<Tile_{}, {}, {}, Index>(tile, {}, k, {}, {}, {});", loader.function, name,
                     operand.along_k, k.block(), first, k.number(rows), end, loader.arguments));
  k.close();
  k.line(";");
}

using Put = std::function<void(Kernel&, const std::string& part, const Indices& batch,
                               const std::string& m, const std::string& n, const std::string&)>;

// What a block computes.
struct TilePlace {
  Indices batch;
  std::string part;
  std::string tile_m;
  std::string first_m;
  std::string first_n;
  std::string begin = "0";  // along k
  std::string end;
};

// How many tiles there are: batch, parts, along n and m, and parts of a cluster. `tiles`: along m.
Sizes grid_of(const TiledProduct& p, const Plan& plan, const SymInt& tiles) {
  const Tile& tile = *plan.tile;
  const int64_t cluster = std::max(tile.cluster, 1);
  const int64_t parts = plan.meets ? plan.splits : 1;
  // Blocks that follow each other share what they read of the larger operand.
  return {ir::numel(p.batch), plan.splits / parts, SymInt::floordiv(p.n + (tile.n - 1), tile.n),
          SymInt::floordiv(tiles + (cluster - 1), cluster) * cluster, parts};
}

// That with this number, of `depth` elements along k.
TilePlace place_of_tile(Kernel& k, const TiledProduct& p, const Plan& plan, const Sizes& grid,
                        const std::string& number, const SymInt& depth) {
  const Tile& tile = *plan.tile;
  const int64_t parts = plan.meets ? plan.splits : 1;
  const Indices place = k.unravel(number, grid);
  TilePlace at;
  at.batch = k.unravel(place[0], p.batch);
  at.part = place[plan.meets ? 4 : 1];
  at.tile_m = place[3];
  at.first_m = k.let("Index", times(place[3], std::to_string(tile.m)));
  at.first_n = k.let("Index", times(place[2], std::to_string(tile.n)));
  at.end = k.number(depth);
  if (plan.splits == 1) return at;
  const std::string all = at.end;
  const int64_t each = blocks(blocks(known(depth), tile.depth), plan.splits) * tile.depth;
  at.begin = k.let("Index", times(at.part, std::to_string(each)));
  at.end = k.let("Index", fmt::format("{0} + {1} < {2} ? {0} + {1} : {2}", at.begin, each, all));
  if (!plan.meets) return at;
  // Where there are no clusters, a block has all parts.
  at.begin = k.let("Index", fmt::format("S_PARTS({}) > 1 ? {} : 0", parts, at.begin));
  at.end = k.let("Index", fmt::format("S_PARTS({}) > 1 ? {} : {}", parts, at.end, all));
  return at;
}

// The last argument of what computes a tile, a lambda that captures so.
void emit_put(Kernel& k, const TilePlace& at, const Put& put, const char* capture,
              bool has_boxes = false) {
  k.open(fmt::format("  [{}](int tile_m, int tile_n, const float(&sums)[8], int count)", capture));
  if (has_boxes) k.line("if (!a.has(tile_m)) return;");
  const std::string m = k.let("Index", has_boxes ? "a.number(tile_m)" : plus(at.first_m, "tile_m"));
  const std::string first = k.let("Index", plus(at.first_n, "tile_n"));
  k.open_run();
  const std::string n = k.let("Index", plus(first, "e"));
  k.follow(n);
  put(k, at.part, at.batch, m, n, "sums[e]");
  k.close_run();
  k.close();
  k.line(");");
}

// The first places of the block's box, and what it is for s_window_rows.
std::string emit_windows(Kernel& k, const TiledProduct& p, const TilePlace& at, const Box& box) {
  const Windows& w = *p.windows;
  const Indices first = k.unravel(at.tile_m, box.blocks);
  std::string text = plus(k.buffer(w.buffer, p.type, false), k.number(w.offset));
  for (const auto* sizes : {&w.sizes, &w.strides, &w.places}) {
    for (const SymInt& size : *sizes) text += ", " + k.number(size);
  }
  const std::array<int64_t, 3> counts = {box.images, box.height, box.width};
  for (size_t i = 0; i < counts.size(); ++i) {
    text += ", " + times(first[i], std::to_string(counts[i]));
  }
  for (const auto* numbers : {&w.taps, &w.steps, &w.dilations}) {
    for (const int64_t number : *numbers) text += fmt::format(", {}", number);
  }
  text += fmt::format(", {}, {}", w.pads[0], w.pads[1]);
  return fmt::format("const s_window_rows<{}, {}, {}, Index> a = {{{}}};", box.images, box.height,
                     box.width, text);
}

void emit_cluster_tiles(Kernel& k, const TiledProduct& p, const Plan& plan, const Put& put) {
  const Tile& tile = *plan.tile;
  for (const std::string_view text :
       {builder::kProductTiles, builder::kSwizzledTiles, builder::kClusterProduct}) {
    k.generator().use(text);
  }
  k.set_block(tile.threads);
  k.use_short_indices();
  k.wait_itself();
  k.set_shared_bytes(static_cast<uint32_t>((tile.m + tile.n) * tile.depth * 2 * tile.stages +
                                           put_bytes(tile) + kClusterBytes + kSwizzled));
  k.set_residents(tile.residents);
  k.set_cluster(tile.cluster);
  const Box box = p.windows ? box_of(*p.windows) : Box();
  const SymInt depth = p.windows ? SymInt(steps_of(*p.windows) * tile.depth) : p.k;
  const Sizes grid = grid_of(
      p, plan, p.windows ? ir::numel(box.blocks) : SymInt::floordiv(p.m + (tile.m - 1), tile.m));
  const SymInt tiles = ir::numel(grid);
  // A block's tiles are of one matrix.
  const bool goes_on = ir::numel(p.batch) == SymInt(1);
  k.set_grid(goes_on ? SymInt::min(tiles, kProcessors * tile.residents) : tiles);
  const uint32_t maps = k.generator().scratch(k.grid()[0] * int64_t{kMapBytes});
  k.line("extern __shared__ s_vector s_memory[];");
  k.open("const auto tile = [=](Index number)");
  const auto matrix = [&](const TiledOperand& operand, const Indices& batch) {
    return plus(k.buffer(*operand.buffer, p.type, false), operand.place(k, batch, "0", "0"));
  };
  const TilePlace at = place_of_tile(k, p, plan, grid, "number", depth);
  const auto matrix_rows = [&](const TiledOperand& operand, const SymInt& rows,
                               const std::string& first) {
    return fmt::format("s_matrix_rows<Index>{{{}, {}, {}, {}, {}}}", matrix(operand, at.batch),
                       k.number(rows), k.number(p.k), k.number(*operand.row_stride), first);
  };
  if (p.windows) {
    k.line(emit_windows(k, p, at, box));
    k.line(fmt::format("const s_filter_rows<Index> b = {{{}, {}, {}, {}, {}, {}}};",
                       matrix(p.b, at.batch), k.number(p.n), k.number(p.windows->sizes.back()),
                       p.windows->taps[0] * p.windows->taps[1], k.number(*p.b.row_stride),
                       at.first_n));
  } else {
    k.line(fmt::format("const auto a = {};", matrix_rows(p.a, p.m, at.first_m)));
    k.line(fmt::format("const auto b = {};", matrix_rows(p.b, p.n, at.first_n)));
  }
  const std::string rows = p.windows ? std::to_string(tile.m) : minus(k.number(p.m), at.first_m);
  k.line(fmt::format(
      "return s_tile_of(a, b, (Index){}, (Index){}, (int)({} / 64), (int)(({} + 63) / 64),", rows,
      minus(k.number(p.n), at.first_n), at.begin, at.end));
  emit_put(k, at, put, "=", p.windows.has_value());
  k.close();
  k.line(";");
  k.line(fmt::format(
      "s_cluster_product<{}, {}, {}, {}, {}, {}, Index>(s_first_tile(s_memory), {}, {}, tile);",
      half_product(p.type), tile.n, tile.stages, tile.threads, tile.cluster, tile.put_width,
      k.buffer(maps, DType::kInt32, true), k.number(tiles)));
}

void emit_tiles(Kernel& k, const TiledProduct& p, const Plan& plan, const Put& put) {
  const Tile& tile = *plan.tile;
  if (tile.cluster > 0) return emit_cluster_tiles(k, p, plan, put);
  k.generator().use(builder::kProductTiles);
  if (tile.is_swizzled) k.generator().use(builder::kSwizzledTiles);
  k.set_block(tile.threads);
  k.use_short_indices();
  const int64_t vector = vector_of(p.type);
  const auto tile_size = [&](int64_t rows, bool along_k) {
    if (tile.is_swizzled) return rows * tile.depth;
    return along_k ? rows * (tile.depth + vector) : tile.depth * (rows + vector);
  };
  const int64_t staged = (tile_size(tile.m, p.a.along_k) + tile_size(tile.n, p.b.along_k)) *
                         tile.stages * static_cast<int64_t>(16 / vector);
  const int64_t slices = is_half(p.type) ? slices_of(tile) : 1;
  const int64_t sums = 4 * slices * tile.m * (tile.n + 8);
  k.set_shared_bytes(
      static_cast<uint32_t>(std::max(staged, sums) + (tile.is_swizzled ? kSwizzled : 0)));
  k.line("extern __shared__ s_vector s_memory[];");
  const char* type = element_type(p.type);
  const auto shape = [&](int rows, bool along_k) {
    if (tile.is_swizzled) return fmt::format("s_swizzled_tile<{}, {}>", type, rows);
    return fmt::format("s_tile<{}, {}, {}, {}>", type, rows, tile.depth, along_k);
  };
  k.line(fmt::format("typedef {} Tile_a;", shape(tile.m, p.a.along_k)));
  k.line(fmt::format("typedef {} Tile_b;", shape(tile.n, p.b.along_k)));
  if (tile.is_swizzled) {
    k.line("#ifdef __CUDA_ARCH_FEAT_SM90_ALL");
    k.line(fmt::format("typedef s_group_sums<{}, {}> Sums;", half_product(p.type), tile.n));
    k.line("#else");
  }
  const std::string name =
      is_half(p.type) ? fmt::format("s_half_sums<{}, ", half_product(p.type)) : "s_float_sums<";
  const std::string sliced = is_half(p.type) ? fmt::format("{}, ", slices) : "";
  k.line(fmt::format("typedef {}Tile_a, Tile_b, {}, {}, {}, {}, {}, {}{}, {}> Sums;", name, tile.m,
                     tile.n, tile.depth, tile.warp_m, tile.warp_n, sliced, p.a.along_k,
                     p.b.along_k));
  if (tile.is_swizzled) k.line("#endif");
  const Sizes grid = grid_of(p, plan, SymInt::floordiv(p.m + (tile.m - 1), tile.m));
  k.set_grid(ir::numel(grid));
  if (plan.meets) k.set_cluster(static_cast<int>(plan.splits));
  const TilePlace at =
      place_of_tile(k, p, plan, grid, k.let("Index", "(Index)blockIdx.x + 0"), p.k);
  emit_load(k, p, p.a, "a", at.batch, at.first_m, p.m, at.end);
  emit_load(k, p, p.b, "b", at.batch, at.first_n, p.n, at.end);
  k.wait_itself();
  const bool is_constant = p.b.buffer && k.generator().is_constant(*p.b.buffer);
  k.line(fmt::format("s_tiled_product<Sums, Tile_a, Tile_b, {}, {}, {}, {}, {}, {}, {}, Index>(",
                     tile.m, tile.n, tile.depth, tile.stages, tile.threads, is_constant,
                     plan.meets ? plan.splits : 1));
  k.line(fmt::format("  {}, {}, {}, {} - {}, {} - {}, load_a, load_b,",
                     tile.is_swizzled ? "s_first_tile(s_memory)" : "s_memory", at.begin, at.end,
                     k.number(p.m), at.first_m, k.number(p.n), at.first_n));
  emit_put(k, at, put, "&");
}

}  // namespace

const char* half_product(DType type) {
  return type == DType::kFloat16 ? "s_float16_product" : "s_bfloat16_product";
}

int64_t vector_of(DType type) { return is_half(type) ? 8 : 4; }

std::optional<DType> tiled_type(const Value& a, const Value& b, DType dtype) {
  const auto narrow = [](const Value& x) { return is_half(x.dtype) ? x.dtype : x.narrow; };
  if (narrow(a) && narrow(a) == narrow(b)) return narrow(a);
  return dtype == DType::kFloat32 ? std::optional(dtype) : std::nullopt;
}

bool is_tiled(const SymInt& m, const SymInt& n, const SymInt& k) {
  constexpr int64_t kNarrow = 8;
  constexpr int64_t kShort = 16;
  const auto is_at_least = [](const SymInt& size, int64_t least) {
    return size.constant().value_or(least) >= least;
  };
  return is_at_least(m, kNarrow) && is_at_least(n, kNarrow) && is_at_least(k, kShort);
}

uint32_t buffer_of(Generator& generator, const View& view) {
  return view.base->initializer ? generator.constant(*view.base) : *view.base->buffer;
}

std::string is_aligned(Kernel& kernel, uint32_t buffer, const std::string& memory) {
  if (!kernel.generator().is_of_caller(buffer)) return "true";
  return fmt::format("((unsigned long long){} & 15) == 0", memory);
}

TileLoader emit_tile_loader(Kernel& k, const TiledOperand& operand, DType type,
                            const std::string& name, const Indices& batch) {
  const char* element = element_type(type);
  const std::string row = fmt::format("r{}", name);
  const std::string depth = fmt::format("k{}", name);
  TileLoader loader = {"s_load_elements", fmt::format("at_{}", name)};
  if (operand.buffer) {
    const std::string memory = k.buffer(*operand.buffer, type, false);
    k.open(fmt::format("const auto at_{} = [&](Index {}, Index {}, bool& is_zero) -> const {}*",
                       name, row, depth, element));
    if (operand.inside)
      k.line(fmt::format("is_zero = !({});", operand.inside(k, batch, row, depth)));
    k.line(fmt::format("return {} + {};", memory, operand.place(k, batch, row, depth)));
    loader = {"s_load_vectors",
              fmt::format("{}, at_{}", is_aligned(k, *operand.buffer, memory), name)};
  } else {
    k.open(
        fmt::format("const auto at_{} = [&](Index {}, Index {}) -> {}", name, row, depth, element));
    const std::string value = operand.element(k, batch, row, depth);
    k.line(fmt::format("return {};", as_element(value, type)));
  }
  k.close();
  k.line(";");
  return loader;
}

void load_by_vectors(Generator& generator, TiledOperand& operand, const TiledView& from,
                     DType type) {
  const int64_t vector = vector_of(type);
  const bool along_k = from.k_stride == SymInt(1);
  const bool along_rows = from.row_stride == SymInt(1);
  operand.along_k = along_k || !along_rows;
  if ((!along_k && !along_rows) || memory_dtype(*from.view.base) != type) return;
  bool is_aligned = is_multiple(from.view.offset, vector);
  is_aligned = is_aligned && is_multiple(along_k ? from.row_stride : from.k_stride, vector);
  for (size_t i = 0; i < from.batch_sizes.size(); ++i) {
    is_aligned = is_aligned &&
                 (from.batch_sizes[i] == SymInt(1) || is_multiple(from.batch_strides[i], vector));
  }
  if (!is_aligned) return;
  operand.buffer = buffer_of(generator, from.view);
  operand.row_stride = from.row_stride;
  operand.k_stride = from.k_stride;
  operand.offset = from.view.offset;
  operand.place = [from](Kernel& k, const Indices& batch, const std::string& row,
                         const std::string& depth) {
    std::string place = k.number(from.view.offset);
    for (size_t i = 0; i < from.batch_sizes.size(); ++i) {
      if (from.batch_sizes[i] == SymInt(1)) continue;
      std::string index = batch.at(i);
      if (!from.batch_repeats.empty() && from.batch_repeats[i] != SymInt(1)) {
        index = fmt::format("({} / {})", index, k.number(from.batch_repeats[i]));
      }
      place = plus(place, times(index, k.number(from.batch_strides[i])));
    }
    place = plus(place, times(row, k.number(from.row_stride)));
    return plus(place, times(depth, k.number(from.k_stride)));
  };
}

void emit_tiled_product(Kernel& kernel, const TiledProduct& product) {
  Alternative& alternative = kernel.alternative();
  const std::vector<Plan> plans = plans_of(kernel.generator(), product);
  const LibraryWays library = library_ways(kernel, product);
  const auto form = product.by_cudnn ? product.by_cudnn(kernel) : library_form(kernel, product);
  const auto own = static_cast<uint32_t>(plans.size());
  const uint32_t first_of_cudnn = own + library.count;
  alternative.count = first_of_cudnn + library_ways(kernel.generator(), form);
  if (alternative.index >= first_of_cudnn) {
    const auto engine = static_cast<uint8_t>(alternative.index - first_of_cudnn);
    return emit_library_graph(kernel, *form, engine);
  }
  const uint32_t first_of_library = library.are_first ? 0 : own;
  const uint32_t rank = alternative.index - first_of_library;
  if (alternative.index >= first_of_library && rank < library.count) {
    return emit_library_product(kernel, product, static_cast<uint8_t>(rank));
  }
  const Plan plan = plans.at(alternative.index - (library.are_first ? library.count : 0));
  alternative.plan = text_of(plan);
  if (kernel.generator().ways().are_for_others && is_of_hopper(plan)) alternative.target = kHopper;
  const Put store = [&](Kernel& k, const std::string&, const Indices& batch, const std::string& m,
                        const std::string& n,
                        const std::string& sum) { product.store(k, batch, m, n, sum); };
  if (plan.splits == 1 || plan.meets) return emit_tiles(kernel, product, plan, store);
  Sizes sizes = product.batch;
  sizes.push_back(product.m);
  sizes.push_back(product.n);
  const SymInt count = ir::numel(sizes);
  Generator& generator = kernel.generator();
  const uint32_t parts = generator.scratch(count * plan.splits * int64_t{sizeof(float)});
  Kernel first(generator, alternative);
  emit_tiles(first, product, plan,
             [&](Kernel& k, const std::string& part, const Indices& batch, const std::string& m,
                 const std::string& n, const std::string& sum) {
               Indices at = batch;
               at.push_back(m);
               at.push_back(n);
               k.store(parts, DType::kFloat32,
                       plus(times(part, k.number(count)), k.ravel(at, sizes)), sum);
             });
  generator.launch(first);
  const std::string thread = kernel.thread_of(count);
  const Indices at = kernel.unravel(thread, sizes);
  const std::string sum = kernel.fresh("a");
  kernel.line(fmt::format("float {} = 0;", sum));
  kernel.use_short_indices();
  kernel.line("#pragma unroll");
  kernel.open(fmt::format("for (int i = 0; i < {}; ++i)", plan.splits));
  kernel.line(fmt::format(
      "{} += {};", sum,
      kernel.load(parts, DType::kFloat32, plus(times("(Index)i", kernel.number(count)), thread))));
  kernel.close();
  product.store(kernel, Indices(at.begin(), at.end() - 2), at[at.size() - 2], at.back(), sum);
}

}  // namespace slipway::cuda
