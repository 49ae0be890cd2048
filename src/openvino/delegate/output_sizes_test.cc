#include "openvino/delegate/output_sizes.h"

#include <string>

#include <gtest/gtest.h>

namespace slipway::openvino {
namespace {

// Input 0 has the sizes 0, 3 and 7; input 1 is the integer 5.
std::optional<int64_t> lookup(size_t input, std::optional<size_t> axis) {
  constexpr int64_t kSizes[] = {0, 3, 7};
  if (input == 0 && axis && *axis < 3) return kSizes[*axis];
  if (input == 1 && !axis) return 5;
  return std::nullopt;
}

using Sizes = std::vector<std::vector<int64_t>>;

// What all outputs have, where none has elements.
std::optional<Sizes> sizes_of(std::string_view text) {
  const auto parsed = OutputSizes::parse(text);
  EXPECT_TRUE(parsed) << text;
  if (!parsed || parsed->empty()) return std::nullopt;
  Sizes sizes;
  for (auto& each : parsed->without_elements(lookup)) {
    if (!each) return std::nullopt;
    sizes.push_back(*std::move(each));
  }
  return sizes;
}

TEST(OutputSizes, AreComputedWhereNoOutputHasElements) {
  EXPECT_EQ(sizes_of("0"), (Sizes{{0}}));
  EXPECT_EQ(sizes_of("i0.0,i0.1"), (Sizes{{0, 3}}));
  EXPECT_EQ(sizes_of("i0.0,i0.1;v1,i0.0 4 *"), (Sizes{{0, 3}, {5, 0}}));
  EXPECT_EQ(sizes_of("i0.0,i0.2 2 /,i0.2 -1 * 2 / 5 +,i0.2 -1 * 3 %,i0.2 v1 <,i0.2 v1 >,2 i0.1 ^"),
            (Sizes{{0, 3, 1, 2, 5, 7, 8}}));
}

TEST(OutputSizes, SaySoWhereSomeOutputHasElements) {
  EXPECT_EQ(sizes_of(""), std::nullopt);
  EXPECT_EQ(sizes_of("i0.0;i0.1"), std::nullopt);
  EXPECT_EQ(sizes_of("i0.0;"), (Sizes{{0}}));    // a list may end with its separator
  EXPECT_EQ(sizes_of("i0.0;;0"), std::nullopt);  // one of rank 0 has an element
}

TEST(OutputSizes, AreThoseOfEachOutputWithoutElements) {
  const auto found = OutputSizes::parse("i0.1;i0.0,i0.2;0,v0")->without_elements(lookup);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0], std::nullopt);
  EXPECT_EQ(found[1], (std::vector<int64_t>{0, 7}));
  EXPECT_EQ(found[2], std::nullopt);
}

TEST(OutputSizes, AreUnknownWhereTheyCannotBeComputed) {
  for (const char* text :
       {"0,i0.3", "0,i2.0", "0,v0", "0,1 i0.0 /", "0,1 0 %", "0,-1", "0,2 64 ^",
        "0,9223372036854775807 1 +", "0,9223372036854775807 2 *", "0,-9223372036854775808 -1 /"}) {
    EXPECT_EQ(sizes_of(text), std::nullopt) << text;
  }
}

TEST(OutputSizes, AreRefusedWhereTheTextIsNoList) {
  std::string deep = "1";
  for (int i = 0; i < 64; ++i) deep += " 1";
  for (int i = 0; i < 64; ++i) deep += " +";
  for (const std::string& text :
       {std::string("x"), std::string("1 2"), std::string("+"), std::string("1 +"),
        std::string("i0"), std::string("i-1.0"), std::string("i0.-1"), std::string("v"),
        std::string("9223372036854775808"), std::string("0,,0"), std::string("1 2 -"), deep}) {
    EXPECT_FALSE(OutputSizes::parse(text)) << text;
  }
}

}  // namespace
}  // namespace slipway::openvino
