#include "tensorrt/library/gpu.h"

#include <string>

#include <gtest/gtest.h>

namespace slipway::tensorrt {
namespace {

TEST(Gpus, AreNamedWithTheirCapabilitiesOrMissing) {
  const auto gpus = find_gpus();
  if (!gpus.ok()) {
    EXPECT_EQ(gpus.error().code(), ErrorCode::kUnavailable);
    EXPECT_FALSE(gpus.error().message().empty());
    EXPECT_EQ(own_target(), "");
    return;
  }
  for (const Gpu& gpu : *gpus) {
    EXPECT_FALSE(gpu.name.empty());
    EXPECT_GE(gpu.capability, 30);
  }
  if (!gpus->empty()) {
    EXPECT_EQ(own_target(), "sm_" + std::to_string(gpus->front().capability));
  }
}

TEST(Gpus, HaveCapabilitiesWithAPoint) {
  EXPECT_EQ(capability_text(90), "9.0");
  EXPECT_EQ(capability_text(121), "12.1");
}

TEST(Gpus, RunEnginesOfTheirOwnFamiliesOnly) {
  EXPECT_TRUE(runs_on(Family::kRtx, 86));
  EXPECT_FALSE(runs_on(Family::kRtx, 90));
  EXPECT_TRUE(runs_on(Family::kT10, 90));
}

}  // namespace
}  // namespace slipway::tensorrt
