#include "cuda/delegate/weight_plan.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "cuda/format/blob.h"
#include "cuda/format/steps.h"

namespace slipway::cuda {
namespace {

using Range = WeightPlan::Range;

uint64_t aligned(uint64_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

std::vector<Range> ranges_of(const table::EngineT& engine) {
  std::vector<Range> all;
  for (const auto& buffer : engine.buffers) {
    const int64_t size = engine.numbers[buffer->bytes]->value;
    if (buffer->home != table::Home::Constant || size == 0) continue;
    all.push_back({.begin = buffer->offset, .size = static_cast<uint64_t>(size)});
  }
  std::sort(all.begin(), all.end(),
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
  std::vector<Range> merged;
  for (const Range& range : all) {
    if (merged.empty() || range.begin >= merged.back().begin + merged.back().size) {
      merged.push_back(range);
      continue;
    }
    Range& last = merged.back();
    last.size = std::max(last.size, range.begin + range.size - last.begin);
  }
  return merged;
}

// Chooses what is brought, so that the rest and two places for it fit.
class Choice {
 public:
  Choice(const WeightPlan& plan, const table::EngineT& engine)
      : ranges_(plan.ranges), is_brought_(ranges_.size()), reads_(engine.steps.size()) {
    readers_.resize(ranges_.size());
    for (size_t step = 0; step < engine.steps.size(); ++step) {
      std::set<uint32_t> read;
      for (const uint32_t index : reads_of(engine.steps[step])) {
        const table::BufferT& buffer = *engine.buffers[index];
        if (buffer.home != table::Home::Constant || engine.numbers[buffer.bytes]->value == 0) {
          continue;
        }
        read.insert(static_cast<uint32_t>(&plan.range_of(buffer.offset) - ranges_.data()));
      }
      reads_[step].assign(read.begin(), read.end());
      for (const uint32_t range : read) readers_[range].push_back(step);
    }
    for (const Range& range : ranges_) total_ += aligned(range.size);
  }

  // With the least place with which the rest fits, or else with the one with which most does.
  void make(uint64_t budget) {
    std::set<uint64_t> places;
    for (const auto& read : reads_) {
      uint64_t all = 0;
      for (const uint32_t range : read) {
        places.insert(aligned(ranges_[range].size));
        all += aligned(ranges_[range].size);
      }
      places.insert(all);
    }
    places.erase(0);
    uint64_t best = 0;
    uint64_t least = UINT64_MAX;
    for (const uint64_t place : places) {
      if (try_place(place, budget)) return;
      if (total_ - brought_ + 2 * place >= least) continue;
      best = place;
      least = total_ - brought_ + 2 * place;
    }
    if (best != 0) try_place(best, budget);
  }

  bool is_brought(uint32_t range) const { return is_brought_[range]; }
  const std::vector<uint32_t>& read_in(size_t step) const { return reads_[step]; }

 private:
  // Large ones that one step reads come first, evenly among them, so that copies are few and lie
  // between the others' work; then the rest.
  bool try_place(uint64_t place, uint64_t budget) {
    std::fill(is_brought_.begin(), is_brought_.end(), false);
    constexpr uint64_t kSmall = 16;
    brought_ = 0;
    const uint64_t needed = total_ + 2 * place > budget ? total_ + 2 * place - budget : 0;
    std::vector<uint32_t> large;
    std::vector<uint32_t> rest;
    uint64_t bytes = 0;
    for (uint32_t range = 0; range < ranges_.size(); ++range) {
      const uint64_t size = aligned(ranges_[range].size);
      if (readers_[range].empty() || size > place) continue;
      const bool is_large = size >= place / kSmall && readers_[range].size() == 1;
      (is_large ? large : rest).push_back(range);
      if (is_large) bytes += size;
    }
    const auto by_step = [&](uint32_t a, uint32_t b) {
      return readers_[a].front() < readers_[b].front();
    };
    std::stable_sort(large.begin(), large.end(), by_step);
    std::stable_sort(rest.begin(), rest.end(),
                     [&](uint32_t a, uint32_t b) { return ranges_[a].size > ranges_[b].size; });
    uint64_t passed = 0;
    for (const uint32_t range : large) {
      passed += aligned(ranges_[range].size);
      const double share = static_cast<double>(passed) / static_cast<double>(bytes);
      if (static_cast<double>(brought_) < share * static_cast<double>(needed)) bring(range, place);
    }
    rest.insert(rest.begin(), large.begin(), large.end());
    for (const uint32_t range : rest) {
      if (brought_ >= needed) break;
      bring(range, place);
    }
    return brought_ >= needed;
  }

  // Where what the steps that read it need together fits.
  void bring(uint32_t range, uint64_t place) {
    if (is_brought_[range]) return;
    for (const size_t step : readers_[range]) {
      uint64_t together = aligned(ranges_[range].size);
      for (const uint32_t other : reads_[step]) {
        if (is_brought_[other]) together += aligned(ranges_[other].size);
      }
      if (together > place) return;
    }
    is_brought_[range] = true;
    brought_ += aligned(ranges_[range].size);
  }

  const std::vector<Range>& ranges_;
  std::vector<bool> is_brought_;
  std::vector<std::vector<uint32_t>> reads_;  // the ranges of each step
  std::vector<std::vector<size_t>> readers_;  // the steps of each range
  uint64_t total_ = 0;
  uint64_t brought_ = 0;  // bytes
};

// Steps that need what is there already need no load of their own.
void add_loads(const Choice& choice, size_t steps, WeightPlan& plan) {
  for (size_t step = 0; step < steps; ++step) {
    WeightPlan::Load load = {.first_step = step};
    uint64_t bytes = 0;
    bool is_there = !plan.loads.empty();
    for (const uint32_t range : choice.read_in(step)) {
      if (!choice.is_brought(range)) continue;
      load.parts.push_back({range, bytes});
      bytes += aligned(plan.ranges[range].size);
      is_there =
          is_there && std::any_of(plan.loads.back().parts.begin(), plan.loads.back().parts.end(),
                                  [&](const auto& part) { return part.range == range; });
    }
    if (load.parts.empty() || is_there) continue;
    plan.place_bytes = std::max(plan.place_bytes, bytes);
    plan.loads.push_back(std::move(load));
  }
}

}  // namespace

const WeightPlan::Range& WeightPlan::range_of(uint64_t offset) const {
  const auto next = std::upper_bound(ranges.begin(), ranges.end(), offset,
                                     [](uint64_t at, const Range& r) { return at < r.begin; });
  return *std::prev(next);
}

WeightPlan plan_weights(const table::EngineT& engine, std::optional<uint64_t> budget) {
  WeightPlan plan;
  if (!budget || *budget >= engine.constant_bytes) {
    plan.ranges.push_back({.begin = 0, .size = engine.constant_bytes, .offset = 0});
    plan.resident_bytes = engine.constant_bytes;
    return plan;
  }
  plan.ranges = ranges_of(engine);
  Choice choice(plan, engine);
  choice.make(*budget);
  for (uint32_t range = 0; range < plan.ranges.size(); ++range) {
    if (choice.is_brought(range)) continue;
    plan.ranges[range].offset = plan.resident_bytes;
    plan.resident_bytes += aligned(plan.ranges[range].size);
  }
  add_loads(choice, engine.steps.size(), plan);
  return plan;
}

}  // namespace slipway::cuda
