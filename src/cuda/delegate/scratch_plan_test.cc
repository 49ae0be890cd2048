// Memory that steps share: never at once, and as little as there need be.
#include "cuda/delegate/scratch_plan.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "cuda/format/engine_maker_test.h"
#include "cuda/format/numbers.h"

namespace slipway::cuda {
namespace {

// A chain of copies, each from one buffer to the next.
EngineMaker chain(const std::vector<int64_t>& sizes) {
  EngineMaker maker;
  const uint32_t none = maker.number(0);
  std::vector<uint32_t> buffers;
  for (const int64_t size : sizes) {
    buffers.push_back(maker.buffer(table::Home::Scratch, maker.number(size)));
  }
  for (size_t i = 0; i + 1 < buffers.size(); ++i) maker.copy(buffers[i], buffers[i + 1], none);
  return maker;
}

ScratchPlan plan(const EngineMaker& maker) {
  const auto made = plan_scratch(maker.engine, *evaluate(maker.engine, {}));
  EXPECT_TRUE(made.ok());
  return *made;
}

TEST(ScratchPlan, BuffersThatNeverMeetShareMemory) {
  const ScratchPlan made = plan(chain({1000, 1000, 1000, 1000, 1000}));
  EXPECT_EQ(made.bytes, 2048u);
  EXPECT_EQ(made.offsets[0], made.offsets[2]);
  EXPECT_NE(made.offsets[0], made.offsets[1]);
}

TEST(ScratchPlan, OffsetsAreAlignedAndWhatIsNotUsedTakesNothing) {
  EngineMaker maker = chain({1, 257, 0});
  maker.buffer(table::Home::Scratch, maker.number(1 << 30));
  const ScratchPlan made = plan(maker);
  EXPECT_EQ(made.bytes, 768u);
  for (const uint64_t offset : made.offsets) EXPECT_EQ(offset % kAlignment, 0u);
}

TEST(ScratchPlan, WhatIsTooLargeIsAnError) {
  EngineMaker maker = chain({INT64_MAX, INT64_MAX, INT64_MAX});
  maker.copy(0, 2, 0);  // So that all three are there at once.
  EXPECT_EQ(plan_scratch(maker.engine, *evaluate(maker.engine, {})).error().code(),
            ErrorCode::kResourceExhausted);
}

TEST(ScratchPlan, NoTwoThatMeetOverlapInRandomEngines) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    EngineMaker maker;
    const uint32_t none = maker.number(0);
    std::vector<int64_t> sizes;
    std::vector<std::pair<size_t, size_t>> lives;
    for (int i = 0; i < 40; ++i) {
      sizes.push_back(static_cast<int64_t>(random() % 5000));
      maker.buffer(table::Home::Scratch, maker.number(sizes.back()));
      lives.emplace_back(SIZE_MAX, 0);
    }
    for (size_t step = 0; step < 60; ++step) {
      const uint32_t from = random() % 40;
      const uint32_t to = random() % 40;
      maker.copy(from, to, none);
      for (const uint32_t one : {from, to}) {
        lives[one] = {std::min(lives[one].first, step), step};
      }
    }
    const ScratchPlan made = plan(maker);
    for (size_t a = 0; a < sizes.size(); ++a) {
      if (lives[a].first == SIZE_MAX) continue;
      ASSERT_LE(made.offsets[a] + static_cast<uint64_t>(sizes[a]), made.bytes);
      for (size_t b = 0; b < a; ++b) {
        if (lives[a].first > lives[b].second || lives[b].first > lives[a].second) continue;
        const bool apart = made.offsets[a] + static_cast<uint64_t>(sizes[a]) <= made.offsets[b] ||
                           made.offsets[b] + static_cast<uint64_t>(sizes[b]) <= made.offsets[a];
        ASSERT_TRUE(apart) << a << " " << b;
      }
    }
  }
}

}  // namespace
}  // namespace slipway::cuda
