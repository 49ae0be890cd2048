#include "tensorrt/delegate/profiles.h"

#include <gtest/gtest.h>

namespace slipway::tensorrt {
namespace {

using Sizes = std::vector<int64_t>;

// One row, or up to 2048 columns of it.
const ProfileTable kTwo = {{{{1, 1}, {1, 1}}}, {{{1, 1}, {1, 2048}}}};

int chosen(const ProfileTable& profiles, const std::vector<Sizes>& sizes, int active,
           std::optional<int> pinned = std::nullopt) {
  const auto profile = choose_profile(profiles, sizes, active, pinned);
  return profile.ok() ? *profile : -1;
}

TEST(Profiles, TheActiveOneStaysWhereItServes) {
  EXPECT_EQ(chosen(kTwo, {{1, 512}}, 0), 1);
  EXPECT_EQ(chosen(kTwo, {{1, 512}}, 1), 1);
  EXPECT_EQ(chosen(kTwo, {{1, 1}}, 1), 1);
  EXPECT_EQ(chosen(kTwo, {{1, 1}}, 0), 0);
}

TEST(Profiles, EveryInputMustBeServedAndTheFirstIsTaken) {
  const ProfileTable three = {
      {{{1}, {2}}, {{1}, {2}}}, {{{1}, {9}}, {{1}, {2}}}, {{{1}, {9}}, {{1}, {9}}}};
  EXPECT_EQ(chosen(three, {{5}, {1}}, 0), 1);
  EXPECT_EQ(chosen(three, {{5}, {5}}, 0), 2);
  EXPECT_EQ(chosen(three, {{1}, {1}}, 2), 2);
  // An input whose sizes are fixed has no bounds.
  EXPECT_EQ(chosen({{{{1}, {2}}, {}}, {{{3}, {4}}, {}}}, {{3}, {}}, 0), 1);
}

TEST(Profiles, WhereNoneServesTheActiveOneStays) {
  EXPECT_EQ(chosen(kTwo, {{1, 4096}}, 1), 1);
  EXPECT_EQ(chosen(kTwo, {{1, 1, 1}}, 0), 0);
}

TEST(Profiles, APinIsObeyed) {
  EXPECT_EQ(chosen(kTwo, {{1, 1}}, 0, 1), 1);
  EXPECT_EQ(chosen(kTwo, {{1, 512}}, 1, 0), 0);
  for (const int none : {2, -3}) {
    const auto refused = choose_profile(kTwo, {{1, 1}}, 0, none);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(refused.error().message(), "its caller wants profile " + std::to_string(none) +
                                             ", and the engine has 2, from 0 on");
  }
  const ProfileTable single = {{{{1}, {8}}}};
  EXPECT_EQ(chosen(single, {{1}}, 0, 1), 0);
  EXPECT_EQ(chosen(single, {{1}}, 0, -1), -1);
}

}  // namespace
}  // namespace slipway::tensorrt
