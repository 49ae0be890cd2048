#include "pte/emitter/memory_plan.h"

#include <algorithm>
#include <map>
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
    auto arenas = plan_memory(blocks);
    ASSERT_TRUE(arenas.ok());
    for (size_t i = 0; i < blocks.size(); ++i) {
      const Block& a = blocks[i];
      EXPECT_EQ(a.offset % 16, 0u);
      if (a.first < 0 && !a.permanent) continue;
      EXPECT_LE(a.offset + a.size, arenas->at(0).size);
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
  auto arenas = plan_memory(blocks);
  ASSERT_TRUE(arenas.ok());
  EXPECT_EQ(arenas->at(0).size, 320u);
}

TEST(MemoryPlanTest, TakesTheTightestGap) {
  std::vector<Block> blocks = {
      {.size = 400, .first = 0, .last = 9}, {.size = 320, .first = 0, .last = 1},
      {.size = 304, .first = 0, .last = 9}, {.size = 160, .first = 0, .last = 1},
      {.size = 144, .first = 0, .last = 9}, {.size = 96, .first = 2, .last = 9},
  };
  auto arenas = plan_memory(blocks);
  ASSERT_TRUE(arenas.ok());
  EXPECT_EQ(blocks[5].offset, blocks[3].offset);
}

// As an unrolled sequence has them: most are short-lived, one of each step lives to the end.
TEST(MemoryPlanTest, ManyBlocksShareMemoryInTheOrderOfTime) {
  constexpr int32_t kSteps = 10'000;
  std::vector<Block> blocks = {{.size = 64, .permanent = true}};
  for (int32_t i = 0; i < kSteps; ++i) {
    for (int32_t j = 0; j < 4; ++j) blocks.push_back({.size = 32, .first = i, .last = i + j % 2});
    if (i % 100 == 0) blocks.push_back({.size = 16, .first = i, .last = kSteps});
  }
  ASSERT_GT(blocks.size(), 4 * kMostCompared);
  auto arenas = plan_memory(blocks);
  ASSERT_TRUE(arenas.ok());
  std::map<uint64_t, int32_t> free_after;  // the last use of each 16 bytes
  std::vector<const Block*> by_time;
  for (const Block& block : blocks) by_time.push_back(&block);
  std::stable_sort(by_time.begin(), by_time.end(), [](const Block* a, const Block* b) {
    return (a->permanent ? -1 : a->first) < (b->permanent ? -1 : b->first);
  });
  for (const Block* block : by_time) {
    EXPECT_LE(block->offset + block->size, arenas->at(0).size);
    for (uint64_t at = block->offset; at < block->offset + block->size; at += 16) {
      const auto taken = free_after.find(at);
      if (taken != free_after.end()) {
        EXPECT_LT(taken->second, block->first) << at;
      }
      free_after[at] = block->permanent ? kSteps : block->last;
    }
  }
  // Twice what lives at once: the largest blocks and the rest each have a part.
  EXPECT_LE(arenas->at(0).size, 2 * (64 + 6 * 32 + 100 * 16));
}

TEST(MemoryPlanTest, EachDeviceHasAnArenaOfItsOwn) {
  std::vector<Block> blocks = {{.size = 100, .first = 0, .last = 1, .device = int8_t{1}},
                               {.size = 300, .permanent = true, .device = int8_t{0}},
                               {.size = 20, .first = 0, .last = 1},
                               {.size = 100, .first = 0, .last = 1, .device = int8_t{0}}};
  const auto arenas = plan_memory(blocks);
  ASSERT_TRUE(arenas.ok());
  ASSERT_EQ(arenas->size(), 3u);
  EXPECT_EQ(arenas->at(0).device, std::nullopt);
  EXPECT_EQ(arenas->at(0).size, 32u);
  EXPECT_EQ(arenas->at(1).device, 0);
  EXPECT_EQ(arenas->at(1).size, 768u);
  EXPECT_EQ(arenas->at(2).device, 1);
  EXPECT_EQ(arenas->at(2).size, 256u);
  EXPECT_EQ(blocks[1].offset, 0u);
  EXPECT_EQ(blocks[3].offset, 512u) << "what engines want";
}

TEST(MemoryPlanTest, RefusesMoreThanCanBeAddressed) {
  const uint64_t half = uint64_t{1} << 62;
  std::vector<Block> blocks(3, Block{.size = half, .first = 0, .last = 1});
  auto arenas = plan_memory(blocks);
  ASSERT_FALSE(arenas.ok());
  EXPECT_EQ(arenas.error().code(), ErrorCode::kResourceExhausted);
  blocks = {{.size = ~uint64_t{0}, .first = 0, .last = 1}};
  EXPECT_FALSE(plan_memory(blocks).ok());
}

}  // namespace
}  // namespace slipway::pte
