#include "tensorrt/builder/compile_specs.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace slipway::tensorrt {
namespace {

std::vector<engine::Engine> engines_of(const std::vector<uint64_t>& weights) {
  std::vector<engine::Engine> engines(weights.size());
  for (size_t i = 0; i < weights.size(); ++i) engines[i].record.weight_bytes = weights[i];
  return engines;
}

void set_specs(std::vector<engine::Engine>& engines, const Options& options) {
  std::vector<engine::Engine*> pointers;
  for (engine::Engine& engine : engines) pointers.push_back(&engine);
  set_compile_specs(pointers, options);
}

uint64_t spec(const engine::Engine& engine, const char* key) {
  return std::stoull(engine.record.compile_specs.at(key));
}

TEST(WeightStreaming, LeavesEnginesAloneWithoutABudget) {
  auto engines = engines_of({1, 2});
  set_specs(engines, {});
  EXPECT_TRUE(engines[0].record.compile_specs.empty());
}

TEST(CudaGraphs, AreAsked) {
  auto engines = engines_of({1});
  engines[0].variants.resize(1);
  Options options;
  options.cuda_graphs = true;
  set_specs(engines, options);
  EXPECT_EQ(engines[0].record.compile_specs.at("use_cuda_graphs"), "1");
  EXPECT_EQ(engines[0].variants[0].record.compile_specs.at("use_cuda_graphs"), "1");
  options.cuda_graphs = false;
  set_specs(engines, options);
  EXPECT_EQ(engines[0].record.compile_specs.at("use_cuda_graphs"), "0");
}

TEST(WeightStreaming, GivesEachEngineItsBudget) {
  auto engines = engines_of({1, 2});
  Options options;
  options.weight_streaming_budget = 0;
  set_specs(engines, options);
  EXPECT_EQ(spec(engines[1], "weight_streaming_budget"), 0u);
  EXPECT_FALSE(engines[1].record.compile_specs.contains("weight_streaming_total"));
}

TEST(WeightStreaming, SharesATotalOutByWeights) {
  auto engines = engines_of({100, 0, 300});
  engines[2].variants.resize(1);
  Options options;
  options.weight_streaming_total = 1000;
  set_specs(engines, options);
  EXPECT_EQ(spec(engines[0], "weight_streaming_budget"), 250u);
  EXPECT_EQ(spec(engines[1], "weight_streaming_budget"), 0u);
  EXPECT_EQ(spec(engines[2], "weight_streaming_budget"), 750u);
  EXPECT_EQ(spec(engines[2].variants[0], "weight_streaming_budget"), 750u);
  EXPECT_EQ(spec(engines[0], "weight_streaming_total"), 1000u);
}

// Whose weights are not known.
TEST(WeightStreaming, LeavesSharesOfOthersEnginesToTheRuntime) {
  auto engines = engines_of({100, 0});
  engines[1].record.options["torch_tensorrt_abi"] = "10";
  Options options;
  options.weight_streaming_total = 1000;
  set_specs(engines, options);
  EXPECT_EQ(spec(engines[0], "weight_streaming_budget"), 1000u);
  EXPECT_FALSE(engines[1].record.compile_specs.contains("weight_streaming_budget"));
  EXPECT_EQ(spec(engines[1], "weight_streaming_total"), 1000u);
}

TEST(WeightStreaming, NeverGivesMoreThanTheTotal) {
  constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  for (const uint64_t total : {uint64_t{0}, uint64_t{1}, uint64_t{10}, kMost}) {
    for (const std::vector<uint64_t>& weights :
         {std::vector<uint64_t>{1, 1, 1}, {7, 11, 13}, {kMost, kMost, 1}, {0, 0, 0}}) {
      auto engines = engines_of(weights);
      Options options;
      options.weight_streaming_total = total;
      set_specs(engines, options);
      uint64_t sum = 0;
      for (const engine::Engine& engine : engines) sum += spec(engine, "weight_streaming_budget");
      EXPECT_LE(sum, total);
      if (weights[0] > 0) {
        EXPECT_GE(sum + 3, total) << "little is lost to rounding";
      }
    }
  }
}

}  // namespace
}  // namespace slipway::tensorrt
