#include "cuda/delegate/scratch_plan.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "base/checked.h"
#include "base/error.h"
#include "cuda/format/blob.h"
#include "cuda/format/steps.h"

namespace slipway::cuda {
namespace {

// A buffer from the first to the last step that names it.
struct Life {
  size_t buffer = 0;
  uint64_t bytes = 0;
  size_t first = SIZE_MAX;
  size_t last = 0;
  uint64_t offset = 0;

  bool meets(const Life& other) const { return first <= other.last && other.first <= last; }
};

std::vector<Life> lives_of(const table::EngineT& engine) {
  std::vector<Life> lives(engine.buffers.size());
  for (size_t step = 0; step < engine.steps.size(); ++step) {
    for (const auto& buffers : {reads_of(engine.steps[step]), writes_of(engine.steps[step])}) {
      for (const uint32_t buffer : buffers) {
        lives[buffer].first = std::min(lives[buffer].first, step);
        lives[buffer].last = step;
      }
    }
  }
  for (size_t i = 0; i < lives.size(); ++i) lives[i].buffer = i;
  std::erase_if(lives, [&](const Life& life) {
    return life.first == SIZE_MAX || engine.buffers[life.buffer]->home != table::Home::Scratch;
  });
  return lives;
}

}  // namespace

// The largest first, each into the first gap between those that it meets.
Result<ScratchPlan> plan_scratch(const table::EngineT& engine,
                                 const std::vector<int64_t>& numbers) {
  std::vector<Life> lives = lives_of(engine);
  for (Life& life : lives) {
    const auto size = static_cast<uint64_t>(numbers[engine.buffers[life.buffer]->bytes]);
    const auto aligned = checked_align(size, kAlignment);
    if (!aligned) return resource_exhausted("a buffer of {} bytes is too large", size);
    life.bytes = *aligned;
  }
  std::stable_sort(lives.begin(), lives.end(),
                   [](const Life& a, const Life& b) { return a.bytes > b.bytes; });
  ScratchPlan plan;
  plan.offsets.resize(engine.buffers.size());
  std::vector<const Life*> placed;  // by their offsets
  for (Life& life : lives) {
    uint64_t offset = 0;
    for (const Life* other : placed) {
      if (!life.meets(*other)) continue;
      if (other->offset >= offset && other->offset - offset >= life.bytes) break;
      offset = std::max(offset, other->offset + other->bytes);
    }
    const auto end = checked_add(offset, life.bytes);
    if (!end) return resource_exhausted("the buffers of a call are too large together");
    life.offset = offset;
    plan.offsets[life.buffer] = offset;
    plan.bytes = std::max(plan.bytes, *end);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), &life,
                         [](const Life* a, const Life* b) { return a->offset < b->offset; }),
        &life);
  }
  return plan;
}

}  // namespace slipway::cuda
