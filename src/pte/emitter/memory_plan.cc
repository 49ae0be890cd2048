#include "pte/emitter/memory_plan.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/try.h"
#include "pte/format/layout.h"

namespace slipway::pte {

namespace {

bool is_alive(const Block& block) { return block.permanent || block.first >= 0; }

bool alive_at_once(const Block& a, const Block& b) {
  if (a.permanent || b.permanent) return true;
  return a.first <= b.last && b.first <= a.last;
}

Error too_large() {
  return resource_exhausted(
      "the program's intermediate results need more memory than can be addressed; give smaller "
      "upper bounds with option 'bounds'");
}

// Blocks are aligned, and never empty.
Result<uint64_t> size_of(const Block& block) {
  const size_t alignment = block.device ? kDeviceAlignment : kTensorAlignment;
  const auto size = checked_align(std::max<uint64_t>(block.size, 1), alignment);
  if (!size) return resource_exhausted("a tensor needs {} bytes of memory", block.size);
  return *size;
}

// Memory that is taken and given back as time goes on.
class Pool {
 public:
  explicit Pool(uint64_t begin) : end_(begin) {}

  // From the tightest gap, else at the end.
  Result<uint64_t> take(uint64_t size) {
    const auto fitting = gaps_by_size_.lower_bound({size, 0});
    if (fitting != gaps_by_size_.end()) {
      const auto [gap, offset] = *fitting;
      remove_gap(offset);
      if (gap > size) add_gap(offset + size, gap - size);
      return offset;
    }
    uint64_t offset = end_;
    if (!gaps_.empty() && gaps_.rbegin()->first + gaps_.rbegin()->second == end_) {
      offset = gaps_.rbegin()->first;
      remove_gap(offset);
    }
    const auto end = checked_add(offset, size);
    if (!end || *end > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return too_large();
    }
    end_ = *end;
    return offset;
  }

  void give_back(uint64_t offset, uint64_t size) {
    auto next = gaps_.lower_bound(offset);
    if (next != gaps_.end() && offset + size == next->first) {
      size += next->second;
      remove_gap(next->first);
    }
    next = gaps_.lower_bound(offset);
    if (next != gaps_.begin()) {
      const auto [before, before_size] = *std::prev(next);
      if (before + before_size == offset) {
        remove_gap(before);
        offset = before;
        size += before_size;
      }
    }
    add_gap(offset, size);
  }

  uint64_t end() const { return end_; }

 private:
  void add_gap(uint64_t offset, uint64_t size) {
    gaps_.emplace(offset, size);
    gaps_by_size_.emplace(size, offset);
  }
  void remove_gap(uint64_t offset) {
    const auto gap = gaps_.find(offset);
    gaps_by_size_.erase({gap->second, offset});
    gaps_.erase(gap);
  }

  std::map<uint64_t, uint64_t> gaps_;  // offset and size
  std::set<std::pair<uint64_t, uint64_t>> gaps_by_size_;
  uint64_t end_;
};

// Places the blocks past `begin`, and gives the end of the whole.
Result<uint64_t> plan_by_time(std::vector<Block>& blocks, std::vector<size_t> order,
                              uint64_t begin) {
  const auto first_of = [&](size_t i) { return blocks[i].permanent ? -1 : blocks[i].first; };
  const auto last_of = [&](size_t i) {
    return blocks[i].permanent ? std::numeric_limits<int32_t>::max() : blocks[i].last;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return first_of(a) < first_of(b); });
  Pool pool(begin);
  std::set<std::pair<int32_t, size_t>> alive;  // by the last instruction that touches it
  for (const size_t index : order) {
    while (!alive.empty() && alive.begin()->first < first_of(index)) {
      const Block& ended = blocks[alive.begin()->second];
      SLIPWAY_ASSIGN_OR_RETURN(const uint64_t size, size_of(ended));
      pool.give_back(ended.offset, size);
      alive.erase(alive.begin());
    }
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t size, size_of(blocks[index]));
    SLIPWAY_ASSIGN_OR_RETURN(blocks[index].offset, pool.take(size));
    alive.emplace(last_of(index), index);
  }
  return pool.end();
}

// Places the blocks `order`, of one memory.
Result<uint64_t> plan_arena(std::vector<Block>& blocks, std::vector<size_t> order) {
  // Ties go by the order of definition, so that the same program gives the same file.
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return blocks[a].size > blocks[b].size; });
  std::vector<size_t> rest;
  if (order.size() > kMostCompared) {
    rest.assign(order.begin() + kMostCompared, order.end());
    order.resize(kMostCompared);
  }

  uint64_t total = 0;
  std::vector<size_t> placed;
  std::vector<std::pair<uint64_t, uint64_t>> taken;  // [begin, end) that the block must not touch
  for (size_t index : order) {
    Block& block = blocks[index];
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t size, size_of(block));
    taken.clear();
    for (size_t other : placed) {
      if (!alive_at_once(block, blocks[other])) continue;
      SLIPWAY_ASSIGN_OR_RETURN(const uint64_t other_size, size_of(blocks[other]));
      taken.emplace_back(blocks[other].offset, blocks[other].offset + other_size);
    }
    std::sort(taken.begin(), taken.end());
    uint64_t end = 0;
    uint64_t best_gap = std::numeric_limits<uint64_t>::max();
    uint64_t best_offset = 0;
    for (const auto& [gap_end, next] : taken) {
      if (gap_end > end && gap_end - end >= size && gap_end - end < best_gap) {
        best_gap = gap_end - end;
        best_offset = end;
      }
      end = std::max(end, next);
    }
    block.offset = best_gap == std::numeric_limits<uint64_t>::max() ? end : best_offset;
    auto block_end = checked_add(block.offset, size);
    if (!block_end || *block_end > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return too_large();
    }
    total = std::max(total, *block_end);
    placed.push_back(index);
  }
  if (!rest.empty()) return plan_by_time(blocks, std::move(rest), total);
  return total;
}

}  // namespace

Result<std::vector<Arena>> plan_memory(std::vector<Block>& blocks) {
  std::map<std::optional<int8_t>, std::vector<size_t>> alive;  // the host's is the first
  alive[std::nullopt];
  Arena shared;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].shared) {
      SLIPWAY_ASSIGN_OR_RETURN(const uint64_t size, size_of(blocks[i]));
      shared.size = std::max(shared.size, blocks[i].offset + size);
      continue;
    }
    blocks[i].offset = 0;
    if (is_alive(blocks[i])) alive[blocks[i].device].push_back(i);
  }
  std::vector<Arena> arenas;
  for (auto& [device, order] : alive) {
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t size, plan_arena(blocks, std::move(order)));
    arenas.push_back({size, device});
  }
  if (shared.size > 0) arenas.insert(arenas.begin() + 1, shared);
  return arenas;
}

}  // namespace slipway::pte
