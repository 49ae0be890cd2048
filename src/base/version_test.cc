#include "slipway/version.h"

#include <regex>
#include <string>

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(Version, IsThreeNumbers) {
  EXPECT_TRUE(std::regex_match(std::string(version()), std::regex("[0-9]+\\.[0-9]+\\.[0-9]+")));
}

}  // namespace
}  // namespace slipway
