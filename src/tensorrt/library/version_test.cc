#include "tensorrt/library/version.h"

#include <gtest/gtest.h>

namespace slipway::tensorrt {
namespace {

TEST(VersionTest, ReadsTheNumbersOfTheFamilies) {
  const struct {
    int32_t number;
    Family family;
    const char* name;
  } cases[] = {
      {10'701, Family::kRtx, "TensorRT-RTX 1.7.1"}, {10'500, Family::kRtx, "TensorRT-RTX 1.5.0"},
      {100'001, Family::kT10, "TensorRT 10.0.1"},   {101'300, Family::kT10, "TensorRT 10.13.0"},
      {101'601, Family::kT10, "TensorRT 10.16.1"},  {110'000, Family::kT11, "TensorRT 11.0.0"},
      {110'100, Family::kT11, "TensorRT 11.1.0"},
  };
  for (const auto& expected : cases) {
    const auto version = Version::from_number(expected.number, "lib.so");
    ASSERT_TRUE(version.ok()) << version.error().message();
    EXPECT_EQ(version->family, expected.family);
    EXPECT_EQ(version->name(), expected.name);
  }
}

TEST(VersionTest, RefusesAllOthersByName) {
  const struct {
    int32_t number;
    const char* message;
  } cases[] = {
      {10'400, "TensorRT-RTX 1.4.0 at lib.so is not supported: Slipway needs 1.5 or later"},
      {10'000, "TensorRT-RTX 1.0.0 at lib.so is not supported: Slipway needs 1.5 or later"},
      {8'601, "TensorRT 8.6.1 at lib.so is not supported: Slipway knows TensorRT 10 and 11"},
      {9'300, "TensorRT 9.3.0 at lib.so is not supported"},
      {120'000, "TensorRT 12.0.0 at lib.so is not supported"},
      {20'000, "TensorRT 2.0.0 at lib.so is not supported"},
      {0, "TensorRT 0.0.0 at lib.so is not supported"},
      {-1, "lib.so is no TensorRT: its version number is -1"},
  };
  for (const auto& expected : cases) {
    const auto version = Version::from_number(expected.number, "lib.so");
    ASSERT_FALSE(version.ok()) << expected.number;
    EXPECT_EQ(version.error().code(), ErrorCode::kUnsupported);
    EXPECT_EQ(version.error().message().find(expected.message), 0U) << version.error().message();
  }
}

}  // namespace
}  // namespace slipway::tensorrt
