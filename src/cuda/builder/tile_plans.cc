#include "cuda/builder/tile_plans.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/half.h"
#include "cuda/builder/generator.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

constexpr int64_t kUnknownSize = 1024;  // what a size is taken for that a call decides

// But for clusters', their shared memory is within what blocks of all GPUs have.
constexpr std::array<Tile, 15> kHalfTiles = {{
    {128, 256, 64, 64, 256, 3, 384, 620, 620, true, 2, 1, 64},
    {128, 192, 64, 64, 192, 4, 384, 470, 470, true, 2, 1, 64},
    {128, 128, 64, 64, 128, 5, 384, 330, 330, true, 2, 1, 64},
    {128, 64, 64, 64, 64, 4, 288, 300, 240, true, 2, 2, 16},
    {128, 32, 64, 64, 32, 4, 288, 250, 200, true, 2, 2, 16},
    {128, 128, 64, 64, 32, 3, 256, 1000, 550, true},
    {128, 64, 64, 32, 32, 4, 256, 450, 450, true},
    {64, 128, 64, 32, 64, 4, 128, 450, 600, true},
    {64, 64, 64, 32, 32, 4, 128, 330, 300, true},
    {128, 128, 32, 64, 32, 4, 256, 740, 610},
    {128, 64, 64, 32, 32, 3, 256, 1220, 1250},
    {64, 64, 64, 32, 32, 4, 256, 630, 580},
    {32, 64, 64, 16, 32, 4, 128, 400, 400},
    {32, 64, 128, 32, 32, 3, 256, 700, 800},
    {16, 64, 64, 16, 16, 4, 128, 340, 340},
}};
constexpr std::array<Tile, 4> kFloatTiles = {{
    {128, 128, 16, 8, 8, 3, 256, 1750, 1890},
    {64, 64, 32, 8, 4, 3, 128, 1150, 970},
    {32, 64, 16, 4, 4, 3, 128, 390, 286},
    {32, 32, 32, 4, 2, 3, 128, 660, 323},
}};
constexpr int kMostBlocks = 8;  // of a cluster
// Of a block: what storing a sum takes, and all else.
constexpr double kStore = 0.2;
constexpr double kStart = 2000;
// What another kernel takes that adds up parts, and a byte of these.
constexpr double kSplit = 1200;
constexpr double kPart = 1.5e-4;
// What the blocks of a cluster take until they have their maps, and to add up their parts, twice as
// much in each further turn of the processors.
constexpr double kMaps = 2500;
constexpr double kMeeting = 1000;

// Whether blocks may share it: Hopper's unit that copies for them takes matrices at multiples
// of 16.
bool may_be_shared(const Generator& generator, const TiledOperand& operand) {
  return generator.ways().are_for_hopper && operand.along_k && operand.buffer && !operand.inside &&
         operand.row_stride && *operand.row_stride != SymInt(0) &&
         !generator.is_of_caller(*operand.buffer);
}

}  // namespace

int64_t known(const SymInt& size) { return size.constant().value_or(kUnknownSize); }

int64_t blocks(int64_t size, int64_t tile) { return (size + tile - 1) / tile; }

Box box_of(const Windows& windows) {
  constexpr int64_t kRows = 128;
  constexpr int64_t kMostReach = 256;
  const int64_t images = windows.sizes[0].constant().value_or(1);
  const int64_t height = windows.places[0].constant().value();
  const int64_t width = windows.places[1].constant().value();
  Box best;
  int64_t fewest = 0;
  for (int64_t w = std::min(width, kRows); w >= 1; --w) {
    if ((w - 1) * windows.steps[1] + 1 > kMostReach) continue;
    for (int64_t h = std::min(height, kRows / w); h >= 1; --h) {
      if ((h - 1) * windows.steps[0] + 1 > kMostReach) continue;
      const int64_t n = std::min(images, kRows / (w * h));
      const int64_t count = blocks(images, n) * blocks(height, h) * blocks(width, w);
      if (fewest != 0 && count >= fewest) continue;
      fewest = count;
      best = {
          n,
          h,
          w,
          {SymInt::floordiv(windows.sizes[0] + (n - 1), n), blocks(height, h), blocks(width, w)}};
    }
  }
  return best;
}

bool is_of_hopper(const Plan& plan) { return plan.tile->cluster > 0 || plan.meets; }

int64_t steps_of(const Windows& windows) {
  return blocks(known(windows.sizes.back()), 64) * windows.taps[0] * windows.taps[1];
}

std::vector<Plan> plans_of(const Generator& generator, const TiledProduct& p) {
  constexpr int kMostOfTile = 2;
  const int64_t m = known(p.m);
  const int64_t n = known(p.n);
  const int64_t k = std::max<int64_t>(known(p.k), 1);
  const int64_t batch = known(ir::numel(p.batch));
  const bool may_split = p.k.is_constant() && p.m.is_constant() && p.n.is_constant();
  const bool has_windows =
      p.windows && generator.ways().are_for_hopper && !generator.is_of_caller(p.windows->buffer);
  const bool may_share =
      (has_windows || may_be_shared(generator, p.a)) && may_be_shared(generator, p.b);
  const int64_t boxes = has_windows ? known(ir::numel(box_of(*p.windows).blocks)) : 0;
  std::vector<std::pair<double, Plan>> all;
  const auto consider = [&](const Tile& tile) {
    if (tile.is_swizzled && !(p.a.along_k && p.b.along_k)) return;
    if (tile.cluster > 0 && !may_share) return;
    const int64_t rows = int64_t{tile.m} * std::max(tile.cluster, 1);
    const bool has_boxes = tile.cluster > 0 && has_windows;
    const int64_t m_tiles =
        has_boxes ? blocks(boxes, tile.cluster) * tile.cluster : blocks(m, rows) * rows / tile.m;
    const int64_t tiles = m_tiles * blocks(n, tile.n) * batch;
    const int64_t steps = has_boxes ? steps_of(*p.windows) : blocks(k, tile.depth);
    for (const int64_t splits : {1, 2, 3, 4, 6, 8, 12, 16}) {
      if (splits > 1 && (!may_split || steps / splits < 3)) break;
      const bool may_meet = generator.ways().are_for_hopper && p.is_convolution &&
                            tile.cluster == 0 && splits > 1 && kMostBlocks % splits == 0 &&
                            tile.m % splits == 0;
      const double most = std::ceil(static_cast<double>(tiles * splits) / double{kProcessors});
      const bool is_crowded = static_cast<double>(tiles * splits) > 0.75 * double{kProcessors};
      double time = kStart + static_cast<double>(blocks(steps, splits)) *
                                 std::max(tile.alone, is_crowded ? most * tile.among : 0.0);
      if (tile.cluster > 0) time += kMaps;
      // Where a processor has several blocks, some store while others multiply.
      const double turns = tile.cluster > 0 ? most : (most + 1) / 2;
      const double store = turns * tile.m * tile.n * kStore;
      if (may_meet) {
        all.push_back({time + (2 * most - 1) * kMeeting + store / static_cast<double>(splits),
                       {&tile, splits, true}});
      }
      if (splits > 1) time += kSplit + kPart * static_cast<double>(8 * splits * batch * m * n);
      all.push_back({time + store, {&tile, splits}});
    }
  };
  if (is_half(p.type)) {
    std::for_each(kHalfTiles.begin(), kHalfTiles.end(), consider);
  } else {
    std::for_each(kFloatTiles.begin(), kFloatTiles.end(), consider);
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Plan> best;
  std::map<const Tile*, int> taken;
  for (const auto& [time, plan] : all) {
    const bool is_one = best.size() < generator.ways().candidates;
    if (is_one && taken[plan.tile]++ < kMostOfTile) best.push_back(plan);
  }
  if (generator.ways().are_for_others && std::all_of(best.begin(), best.end(), is_of_hopper)) {
    best.push_back(std::find_if(all.begin(), all.end(), [](const auto& reckoned) {
                     return !is_of_hopper(reckoned.second);
                   })->second);
  }
  return best;
}

std::string text_of(const Plan& plan) {
  const Tile& tile = *plan.tile;
  std::string text = fmt::format("tiles of {} by {}, {} along k", tile.m, tile.n, tile.depth);
  if (tile.is_swizzled) text += ", swizzled";
  if (tile.cluster > 0) text += fmt::format(", by clusters of {}", tile.cluster);
  if (tile.residents > 1) text += fmt::format(", {} in a processor", tile.residents);
  if (plan.splits > 1) text += fmt::format(", sums in {} parts", plan.splits);
  if (plan.meets) text += " of a cluster";
  return text;
}

}  // namespace slipway::cuda
