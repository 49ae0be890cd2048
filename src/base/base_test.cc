#include <cerrno>
#include <cstdio>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/guard.h"
#include "base/hash.h"
#include "base/progress.h"
#include "base/try.h"

namespace slipway {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span<const char>(text));
}

TEST(ErrorTest, EveryCodeHasAName) {
  EXPECT_STREQ(error_code_name(ErrorCode::kInvalidFile), "invalid file");
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    EXPECT_STRNE(error_code_name(static_cast<ErrorCode>(code)), "unknown error");
  }
}

TEST(ErrorTest, ErrnoGivesTheCodeAndTheText) {
  const Error full = errno_error(ENOSPC, "m.pte: cannot be written");
  EXPECT_EQ(full.code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(full.message(), "m.pte: cannot be written: No space left on device");
  EXPECT_EQ(errno_error(ENOENT, "").code(), ErrorCode::kNotFound);
  EXPECT_EQ(errno_error(EACCES, "").code(), ErrorCode::kIo);
}

TEST(ErrorTest, ContextComesFirst) {
  const Error error = invalid_file("entry {} is cut short", 3).with_context("a.pt2");
  EXPECT_EQ(error.message(), "a.pt2: entry 3 is cut short");
  EXPECT_EQ(error.code(), ErrorCode::kInvalidFile);
}

Result<int> half(int number) {
  if (number % 2 != 0) return invalid_argument("{} is odd", number);
  return number / 2;
}

Result<int> quarter(int number) {
  SLIPWAY_ASSIGN_OR_RETURN(const int halved, half(number));
  SLIPWAY_RETURN_IF_ERROR(half(halved));
  return half(halved);
}

TEST(TryTest, ErrorsReturnEarly) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message(), "3 is odd");
  EXPECT_EQ(quarter(5).error().message(), "5 is odd");
}

TEST(GuardTest, ExceptionsBecomeErrors) {
  const auto answer = guarded("m.pte", []() -> Result<int> { return 42; });
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(*answer, 42);
  const auto full = guarded("m.pte", []() -> Result<int> { throw std::bad_alloc(); });
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(full.error().message(), "m.pte: there is not enough memory");
  const auto odd = guarded("m.pte", []() -> Status { throw std::out_of_range("no key"); });
  ASSERT_FALSE(odd.ok());
  EXPECT_EQ(odd.error().code(), ErrorCode::kInternal);
  EXPECT_EQ(odd.error().message(), "m.pte: no key");
}

TEST(CheckedTest, OverflowGivesNothing) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  EXPECT_EQ(checked_add(kMax, 1), std::nullopt);
  EXPECT_EQ(checked_add(kMax - 1, 1), kMax);
  EXPECT_EQ(checked_mul_signed(std::numeric_limits<int64_t>::min(), -1), std::nullopt);
  EXPECT_EQ(checked_add_signed(std::numeric_limits<int64_t>::max(), 1), std::nullopt);
  EXPECT_EQ(checked_align(0, 128), 0u);
  EXPECT_EQ(checked_align(1, 128), 128u);
  EXPECT_EQ(checked_align(kMax - 3, 128), std::nullopt);
  EXPECT_TRUE(range_fits(4, 0, 4));
  EXPECT_FALSE(range_fits(5, 0, 4));
  EXPECT_FALSE(range_fits(1, kMax, 4));
}

TEST(HashTest, KnownValues) {
  EXPECT_EQ(crc32(0, bytes_of("123456789")), 0xcbf43926u);
  EXPECT_EQ(crc32(crc32(0, bytes_of("1234")), bytes_of("56789")), 0xcbf43926u);
  EXPECT_EQ(sha256_hex(bytes_of("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(xxh3_hex({}), "99aa06d3014798d86001c324468d497f");
}

TEST(HashTest, StreamingEqualsOneCall) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += static_cast<char>(i * 7);
  Xxh3 hash;
  hash.update(bytes_of(text).first(1));
  hash.update(bytes_of(text).subspan(1, 3000));
  hash.update(bytes_of(text).subspan(3001));
  EXPECT_EQ(hash.hex(), xxh3_hex(bytes_of(text)));
  EXPECT_EQ(hash.hex().size(), kXxh3HexDigits);
  Sha256 sha256;
  sha256.update(bytes_of(text).first(4000));
  EXPECT_EQ(sha256.hex(), sha256_hex(bytes_of(text).first(4000)));
  sha256.update(bytes_of(text).subspan(4000));
  EXPECT_EQ(sha256.hex(), sha256_hex(bytes_of(text)));
  EXPECT_EQ(sha256.hex().size(), kSha256HexDigits);
}

TEST(ProgressTest, QuickStepsPrintNothing) {
  std::FILE* stream = std::tmpfile();
  ASSERT_NE(stream, nullptr);
  {
    Progress progress(stream);
    progress.step("writing");
    for (uint64_t done = 0; done <= 100; ++done) progress.update(done, 100);
  }
  EXPECT_EQ(std::ftell(stream), 0);
  std::fclose(stream);
}

}  // namespace
}  // namespace slipway
