// Which constants stay on the device: within the budget, and each there when it is read.
#include "cuda/delegate/weight_plan.h"

#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "cuda/format/engine_maker_test.h"

namespace slipway::cuda {
namespace {

// Constants of so many bytes, and steps that read some of them by position.
EngineMaker engine_of(const std::vector<int64_t>& sizes,
                      const std::vector<std::vector<uint32_t>>& steps) {
  EngineMaker maker;
  const uint32_t one = maker.number(1);
  std::vector<uint32_t> constants;
  uint64_t end = 0;
  for (const int64_t size : sizes) {
    constants.push_back(maker.buffer(table::Home::Constant, maker.number(size), 0, end));
    end += (static_cast<uint64_t>(size) + kAlignment - 1) / kAlignment * kAlignment;
  }
  maker.engine.constant_bytes = end;
  for (const auto& step : steps) {
    std::vector<uint32_t> reads;
    for (const uint32_t position : step) reads.push_back(constants[position]);
    maker.launch({"kernel", one, 32, reads, {}, {}, "", 0});
  }
  return maker;
}

// That each step finds what it reads, apart from everything else there.
void hold(const EngineMaker& maker, const WeightPlan& plan) {
  std::set<std::pair<uint64_t, uint64_t>> resident;
  for (const WeightPlan::Range& range : plan.ranges) {
    if (range.offset) resident.emplace(*range.offset, range.size);
  }
  uint64_t end = 0;
  for (const auto& [offset, size] : resident) {
    EXPECT_GE(offset, end);
    EXPECT_EQ(offset % kAlignment, 0u);
    end = offset + size;
  }
  EXPECT_LE(end, plan.resident_bytes);
  size_t loads = 0;
  for (size_t step = 0; step < maker.engine.steps.size(); ++step) {
    if (loads < plan.loads.size() && plan.loads[loads].first_step == step) ++loads;
    for (const uint32_t buffer : maker.engine.steps[step].AsLaunch()->reads) {
      const uint64_t offset = maker.engine.buffers[buffer]->offset;
      const WeightPlan::Range& range = plan.range_of(offset);
      ASSERT_GE(offset, range.begin);
      ASSERT_LT(offset, range.begin + range.size);
      if (range.offset) continue;
      ASSERT_GT(loads, 0u) << step;
      const auto& parts = plan.loads[loads - 1].parts;
      EXPECT_TRUE(std::any_of(parts.begin(), parts.end(), [&](const auto& part) {
        return &plan.ranges[part.range] == &range;
      })) << step;
    }
  }
  EXPECT_EQ(loads, plan.loads.size());
  for (const WeightPlan::Load& load : plan.loads) {
    uint64_t used = 0;
    for (const WeightPlan::Part& part : load.parts) {
      EXPECT_GE(part.offset, used);
      EXPECT_EQ(part.offset % kAlignment, 0u);
      EXPECT_FALSE(plan.ranges[part.range].offset);
      used = part.offset + plan.ranges[part.range].size;
    }
    EXPECT_LE(used, plan.place_bytes);
  }
}

std::vector<std::vector<uint32_t>> one_each(uint32_t count) {
  std::vector<std::vector<uint32_t>> steps(count);
  for (uint32_t i = 0; i < count; ++i) steps[i] = {i};
  return steps;
}

TEST(WeightPlan, AllStayWhereTheyFit) {
  const EngineMaker maker = engine_of({100, 5000, 300}, one_each(3));
  for (const std::optional<uint64_t> budget :
       {std::optional<uint64_t>(), std::optional<uint64_t>(maker.engine.constant_bytes),
        std::optional<uint64_t>(UINT64_MAX)}) {
    const WeightPlan plan = plan_weights(maker.engine, budget);
    EXPECT_TRUE(plan.loads.empty());
    EXPECT_EQ(plan.bytes_on_device(), maker.engine.constant_bytes);
    hold(maker, plan);
  }
}

TEST(WeightPlan, WhatIsBroughtLiesEvenlyAmongTheRest) {
  constexpr int64_t kMatrix = 4096;
  const EngineMaker maker = engine_of(std::vector<int64_t>(128, kMatrix), one_each(128));
  const WeightPlan plan = plan_weights(maker.engine, 32 * kMatrix);
  hold(maker, plan);
  EXPECT_EQ(plan.place_bytes, static_cast<uint64_t>(kMatrix));
  EXPECT_EQ(plan.resident_bytes, 30u * kMatrix);
  ASSERT_EQ(plan.loads.size(), 98u);
  size_t before = 0;
  for (const WeightPlan::Load& load : plan.loads) {
    EXPECT_LE(load.first_step - before, 2u);
    before = load.first_step;
  }
}

TEST(WeightPlan, OneLargeMatrixDoesNotMakePlacesOfItsSize) {
  std::vector<int64_t> sizes(20, 10240);
  sizes.push_back(102400);
  const EngineMaker maker = engine_of(sizes, one_each(21));
  const WeightPlan plan = plan_weights(maker.engine, 250000);
  hold(maker, plan);
  EXPECT_EQ(plan.place_bytes, 10240u);
  EXPECT_LE(plan.bytes_on_device(), 250000u);
  EXPECT_TRUE(plan.ranges.back().offset);
  // Less than the large one has takes it, too.
  const WeightPlan least = plan_weights(maker.engine, 0);
  hold(maker, least);
  EXPECT_EQ(least.bytes_on_device(), 102400u + 2 * 10240u);
}

TEST(WeightPlan, StepsThatReadTheSameShareALoad) {
  const EngineMaker maker = engine_of({4096, 256, 4096}, {{0, 1}, {1}, {0}, {2}, {0}});
  const WeightPlan plan = plan_weights(maker.engine, 0);
  hold(maker, plan);
  ASSERT_EQ(plan.loads.size(), 3u);
  EXPECT_EQ(plan.loads[1].first_step, 3u);
  EXPECT_EQ(plan.loads[2].first_step, 4u);
}

TEST(WeightPlan, ConstantsWithinOthersAreOneRange) {
  EngineMaker maker = engine_of({4096, 4096}, one_each(2));
  const uint32_t inner = maker.buffer(table::Home::Constant, maker.number(512), 0, 1024);
  maker.launch({"kernel", maker.number(1), 32, {inner}, {}, {}, "", 0});
  const WeightPlan plan = plan_weights(maker.engine, 0);
  hold(maker, plan);
  EXPECT_EQ(plan.ranges.size(), 2u);
  EXPECT_EQ(plan.loads.size(), 3u);
}

TEST(WeightPlan, AnyEngineAndBudget) {
  std::mt19937 random(1);
  const auto draw = [&](int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(random);
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<int64_t> sizes(static_cast<size_t>(draw(1, 12)));
    for (int64_t& size : sizes) size = draw(0, 4) == 0 ? draw(0, 20000) : draw(0, 600);
    std::vector<std::vector<uint32_t>> steps(static_cast<size_t>(draw(0, 20)));
    for (auto& step : steps) {
      step.resize(static_cast<size_t>(draw(0, 3)));
      for (uint32_t& read : step) read = static_cast<uint32_t>(draw(0, int(sizes.size()) - 1));
      std::erase_if(step, [&](uint32_t read) { return sizes[read] == 0; });
    }
    const EngineMaker maker = engine_of(sizes, steps);
    const uint64_t least = plan_weights(maker.engine, 0).bytes_on_device();
    for (int i = 0; i < 5; ++i) {
      const auto budget = static_cast<uint64_t>(draw(0, int(maker.engine.constant_bytes)));
      const WeightPlan plan = plan_weights(maker.engine, budget);
      hold(maker, plan);
      EXPECT_LE(plan.bytes_on_device(), std::max({budget, least}));
    }
  }
}

}  // namespace
}  // namespace slipway::cuda
