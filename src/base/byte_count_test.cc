#include "base/byte_count.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(ParseByteCount, KnowsUnits) {
  EXPECT_EQ(*parse_byte_count("0"), 0u);
  EXPECT_EQ(*parse_byte_count("4096"), 4096u);
  EXPECT_EQ(*parse_byte_count("12B"), 12u);
  EXPECT_EQ(*parse_byte_count("3KB"), 3000u);
  EXPECT_EQ(*parse_byte_count("3KiB"), 3072u);
  EXPECT_EQ(*parse_byte_count("512MiB"), uint64_t{512} << 20);
  EXPECT_EQ(*parse_byte_count("512MB"), 512'000'000u);
  EXPECT_EQ(*parse_byte_count("2GB"), 2'000'000'000u);
  EXPECT_EQ(*parse_byte_count("2gib"), uint64_t{2} << 30);
  EXPECT_EQ(*parse_byte_count("1TB"), 1'000'000'000'000u);
  EXPECT_EQ(*parse_byte_count("1TiB"), uint64_t{1} << 40);
}

TEST(ParseByteCount, EndsWhere64BitsDo) {
  EXPECT_EQ(*parse_byte_count("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(*parse_byte_count("16777215TiB"), uint64_t{16777215} << 40);
  for (const char* text : {"18446744073709551616", "16777216TiB", "99999999999999999999999GB",
                           "18446744073709552KB"}) {
    const auto bytes = parse_byte_count(text);
    ASSERT_FALSE(bytes.ok()) << text;
    EXPECT_EQ(bytes.error().code(), ErrorCode::kInvalidArgument) << text;
    EXPECT_NE(bytes.error().message().find("64 bits"), std::string::npos) << text;
  }
}

TEST(ParseByteCount, RefusesTheRest) {
  for (const char* text : {"", " ", "GB", "-1", "+1", "1.5GB", "1 GB", " 1GB", "1GB ", "0x10",
                           "1e9", "1GBB", "1PB", "1KiBs", "ten", "1,000", "1GB\n"}) {
    const auto bytes = parse_byte_count(text);
    ASSERT_FALSE(bytes.ok()) << text;
    EXPECT_EQ(bytes.error().code(), ErrorCode::kInvalidArgument) << text;
    EXPECT_NE(bytes.error().message().find("512MiB"), std::string::npos) << text;
  }
  EXPECT_FALSE(parse_byte_count(std::string("1\0GB", 4)).ok());
}

}  // namespace
}  // namespace slipway
