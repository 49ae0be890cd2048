#include "tensorrt/library/slots.h"

#include <algorithm>
#include <set>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "tensorrt/library/builder.h"

namespace slipway::tensorrt {
namespace {

constexpr Version kRtx = {Family::kRtx, 1, 7, 1};

TEST(SlotsTest, NoTwoMethodsOfAClassShareASlot) {
  for (const Version version :
       {kRtx, Version{Family::kT10, 10, 14, 0}, Version{Family::kT11, 11, 1, 0}}) {
    std::set<std::pair<std::string, int>> seen;
    for (const Slot& slot : slots()) {
      const int number = slot.of(version);
      if (number < 0) continue;
      EXPECT_TRUE(seen.emplace(slot.type, number).second)
          << version.name() << " " << slot.type << "::" << slot.method;
      // The first two of the classes behind Object::impl are destructors.
      if (slot.type[0] == 'V') {
        EXPECT_GE(number, 2) << slot.type << "::" << slot.method;
      }
    }
  }
}

TEST(SlotsTest, EveryMethodIsInSomeFamily) {
  for (const Slot& slot : slots()) {
    EXPECT_GE(std::max({slot.in_t10, slot.in_t11, slot.in_rtx}), 0) << slot.method;
    EXPECT_TRUE(slot.first_minor_of_t10 == 0 || slot.in_t10 >= 0) << slot.method;
  }
  EXPECT_STREQ(slot(Method::VBuilder_createNetworkV2).method, "createNetworkV2");
  EXPECT_STREQ(slot(Method::VExecutionContext_setDeviceMemoryV2).method, "setDeviceMemoryV2");
}

TEST(SlotsTest, SaysWhichVersionHasAMethod) {
  EXPECT_TRUE(require({Family::kT10, 10, 13, 0}, Method::IParser_loadModelProto).ok());
  EXPECT_TRUE(require(kRtx, Method::VRuntime_getEngineValidity).ok());

  const Status old = require({Family::kT10, 10, 12, 1}, Method::IParser_loadModelProto);
  ASSERT_FALSE(old.ok());
  EXPECT_EQ(old.error().code(), ErrorCode::kUnsupported);
  EXPECT_EQ(old.error().message(),
            "TensorRT 10.12.1 has no loadModelProto: 10.13 or later is needed");
  const Status never = require({Family::kT11, 11, 1, 0}, Method::VRuntime_getEngineValidity);
  ASSERT_FALSE(never.ok());
  EXPECT_EQ(never.error().message(), "TensorRT 11.1.0 has no getEngineValidity");
}

// A class with methods at slots that the table knows, called as TensorRT's are.
struct StandIn {
  virtual ~StandIn() = default;
  virtual bool setDimensions(const char* input, int32_t selector, const Dims* dims) {
    seen = {input, selector, dims->sizes[0]};
    return true;
  }
  virtual Dims getDimensions(const char*, int32_t selector) {
    Dims dims;
    dims.count = 8;
    dims.sizes[7] = selector;
    return dims;
  }
  std::tuple<std::string, int32_t, int64_t> seen;
};

TEST(SlotsTest, CallsWithTheTypesOfTheTable) {
  StandIn stand_in;
  Object object = {nullptr, &stand_in};
  Dims dims;
  dims.count = 1;
  dims.sizes[0] = int64_t{1} << 40;
  EXPECT_TRUE(call<Method::VOptimizationProfile_setDimensions>(kRtx, &object, "x", 2, &dims));
  EXPECT_EQ(stand_in.seen, std::make_tuple(std::string("x"), 2, int64_t{1} << 40));
  const Dims result = call<Method::VOptimizationProfile_getDimensions>(kRtx, &object, "x", 5);
  EXPECT_EQ(result.count, 8);
  EXPECT_EQ(result.sizes[7], 5);
}

TEST(SlotsTest, NumbersOfFlagsDifferByFamily) {
  EXPECT_EQ(flag_number(Family::kT10, BuilderFlag::kWeightStreaming), 21);
  EXPECT_EQ(flag_number(Family::kT11, BuilderFlag::kWeightStreaming), 20);
  EXPECT_EQ(flag_number(Family::kRtx, BuilderFlag::kWeightStreaming), 20);
  EXPECT_EQ(strongly_typed(Family::kT10), 2U);
  EXPECT_EQ(strongly_typed(Family::kRtx), 1U);
}

}  // namespace
}  // namespace slipway::tensorrt
