#include "pte/emitter/memory_plan.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "pte/format/layout.h"

namespace slipway::pte {

namespace {

bool is_alive(const Block& block) { return block.permanent || block.first >= 0; }

bool alive_at_once(const Block& a, const Block& b) {
  if (a.permanent || b.permanent) return true;
  return a.first <= b.last && b.first <= a.last;
}

}  // namespace

Result<uint64_t> plan_memory(std::vector<Block>& blocks) {
  std::vector<size_t> order;
  for (size_t i = 0; i < blocks.size(); ++i) {
    blocks[i].offset = 0;
    if (is_alive(blocks[i])) order.push_back(i);
  }
  // Ties go by the order of definition, so that the same program gives the same file.
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return blocks[a].size > blocks[b].size; });

  uint64_t total = 0;
  std::vector<size_t> placed;
  std::vector<std::pair<uint64_t, uint64_t>> taken;  // [begin, end) that the block must not touch
  for (size_t index : order) {
    Block& block = blocks[index];
    auto size = checked_align(std::max<uint64_t>(block.size, 1), kTensorAlignment);
    if (!size) return resource_exhausted("a tensor needs {} bytes of memory", block.size);
    taken.clear();
    for (size_t other : placed) {
      if (!alive_at_once(block, blocks[other])) continue;
      uint64_t other_size =
          *checked_align(std::max<uint64_t>(blocks[other].size, 1), kTensorAlignment);
      taken.emplace_back(blocks[other].offset, blocks[other].offset + other_size);
    }
    std::sort(taken.begin(), taken.end());
    uint64_t end = 0;
    uint64_t best_gap = std::numeric_limits<uint64_t>::max();
    uint64_t best_offset = 0;
    for (const auto& [gap_end, next] : taken) {
      if (gap_end > end && gap_end - end >= *size && gap_end - end < best_gap) {
        best_gap = gap_end - end;
        best_offset = end;
      }
      end = std::max(end, next);
    }
    block.offset = best_gap == std::numeric_limits<uint64_t>::max() ? end : best_offset;
    auto block_end = checked_add(block.offset, *size);
    if (!block_end || *block_end > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return resource_exhausted(
          "the program's intermediate results need more memory than can be addressed; give smaller "
          "upper bounds with --bound");
    }
    total = std::max(total, *block_end);
    placed.push_back(index);
  }
  return total;
}

}  // namespace slipway::pte
