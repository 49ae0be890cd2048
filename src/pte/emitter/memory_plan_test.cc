#include "pte/emitter/memory_plan.h"

#include <random>

#include <gtest/gtest.h>

namespace slipway::pte {
namespace {

bool alive_at_once(const Block& a, const Block& b) {
  if (a.permanent || b.permanent) return true;
  return a.first <= b.last && b.first <= a.last;
}

TEST(MemoryPlanTest, LiveBlocksNeverOverlap) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<Block> blocks(1 + random() % 60);
    for (Block& block : blocks) {
      block.size = random() % 5 == 0 ? 0 : random() % 1000;
      block.permanent = random() % 10 == 0;
      if (random() % 10 == 0) continue;  // never touched
      block.first = static_cast<int32_t>(random() % 50);
      block.last = block.first + static_cast<int32_t>(random() % 20);
    }
    auto total = plan_memory(blocks);
    ASSERT_TRUE(total.ok());
    for (size_t i = 0; i < blocks.size(); ++i) {
      const Block& a = blocks[i];
      EXPECT_EQ(a.offset % 16, 0u);
      if (a.first < 0 && !a.permanent) continue;
      EXPECT_LE(a.offset + a.size, *total);
      for (size_t j = 0; j < i; ++j) {
        const Block& b = blocks[j];
        if ((b.first < 0 && !b.permanent) || !alive_at_once(a, b)) continue;
        EXPECT_TRUE(a.offset + a.size <= b.offset || b.offset + b.size <= a.offset)
            << "blocks " << i << " and " << j << " of round " << round;
      }
    }
  }
}

TEST(MemoryPlanTest, BlocksOfDifferentTimesShareMemory) {
  std::vector<Block> blocks;
  for (int32_t i = 0; i < 10; ++i) blocks.push_back({.size = 160, .first = i, .last = i + 1});
  auto total = plan_memory(blocks);
  ASSERT_TRUE(total.ok());
  EXPECT_EQ(*total, 320u);
}

TEST(MemoryPlanTest, TakesTheTightestGap) {
  std::vector<Block> blocks = {
      {.size = 400, .first = 0, .last = 9}, {.size = 320, .first = 0, .last = 1},
      {.size = 304, .first = 0, .last = 9}, {.size = 160, .first = 0, .last = 1},
      {.size = 144, .first = 0, .last = 9}, {.size = 96, .first = 2, .last = 9},
  };
  auto total = plan_memory(blocks);
  ASSERT_TRUE(total.ok());
  EXPECT_EQ(blocks[5].offset, blocks[3].offset);
}

TEST(MemoryPlanTest, RefusesMoreThanCanBeAddressed) {
  const uint64_t half = uint64_t{1} << 62;
  std::vector<Block> blocks(3, Block{.size = half, .first = 0, .last = 1});
  auto total = plan_memory(blocks);
  ASSERT_FALSE(total.ok());
  EXPECT_EQ(total.error().code(), ErrorCode::kResourceExhausted);
  blocks = {{.size = ~uint64_t{0}, .first = 0, .last = 1}};
  EXPECT_FALSE(plan_memory(blocks).ok());
}

}  // namespace
}  // namespace slipway::pte
