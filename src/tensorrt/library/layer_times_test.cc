#include "tensorrt/library/layer_times.h"

#include <limits>

#include <gtest/gtest.h>

#include "tensorrt/library/abi.h"

namespace slipway::tensorrt {
namespace {

TEST(LayerTimesTest, EachFamilyCallsItsOwnInterface) {
  LayerTimes times;
  static_cast<PlainProfilerInterface*>(times.interface({Family::kT10, 10, 0, 0}))
      ->reportLayerTime("conv", 0.25F);
  for (const Version version : {Version{Family::kT11, 11, 1, 0}, Version{Family::kRtx, 1, 7, 1}}) {
    auto* const versioned = static_cast<ProfilerInterface*>(times.interface(version));
    EXPECT_STREQ(versioned->getInterfaceInfo().kind, "IProfiler");
    versioned->reportLayerTime("relu", 2);
  }
  ASSERT_EQ(times.layers().size(), 3u);
  EXPECT_EQ(times.layers()[0].name, "conv");
  EXPECT_EQ(times.layers()[0].duration.count(), 250'000);
  EXPECT_EQ(times.layers()[2].duration.count(), 2'000'000);
  times.clear();
  EXPECT_TRUE(times.layers().empty());
}

TEST(LayerTimesTest, TakesWhatIsNoTime) {
  LayerTimes times;
  for (const float milliseconds :
       {-1.0F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    times.add(nullptr, milliseconds);
    EXPECT_EQ(times.layers().back().name, "");
    EXPECT_EQ(times.layers().back().duration.count(), 0);
  }
}

}  // namespace
}  // namespace slipway::tensorrt
