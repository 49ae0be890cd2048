#include "pte/reader/layout_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pte/reader/program_test.h"

namespace slipway::pte {
namespace {

using testing::HasSubstr;

template <class T>
void put(std::vector<std::byte>& bytes, size_t offset, T number) {
  std::memcpy(bytes.data() + offset, &number, sizeof number);
}

std::vector<std::byte> with_segments() {
  TestProgram p;
  p.segment("first");
  p.segment("second");
  return p.build();
}

TEST(HeaderTest, OtherFilesAreNamed) {
  EXPECT_EQ(read_error(std::vector<std::byte>()), "test.pte: not an ExecuTorch program: too short");
  auto other = with_segments();
  put(other, 4, 'X');
  EXPECT_EQ(read_error(other), "test.pte: not an ExecuTorch program");
  for (size_t i = 0; i < 4; ++i) other[i] = static_cast<std::byte>("PK\x03\x04"[i]);
  EXPECT_THAT(read_error(other), HasSubstr("compile it first"));
  for (size_t i = 0; i < 6; ++i) other[i] = static_cast<std::byte>("\x93NUMPY"[i]);
  EXPECT_THAT(read_error(other), HasSubstr("program: it is a .npy array"));
  auto newer = with_segments();
  put(newer, 7, '9');
  EXPECT_EQ(read_error(newer),
            "test.pte: an ExecuTorch program of version ET19, and this version reads ET12");
}

TEST(HeaderTest, SizesLieWithinTheFile) {
  const auto error_with = [](size_t offset, auto number) {
    auto bytes = with_segments();
    put(bytes, offset, number);
    return read_error(std::move(bytes));
  };
  const uint64_t size = with_segments().size();
  EXPECT_EQ(read_error(with_segments()), "");
  EXPECT_THAT(error_with(12, uint32_t{23}), HasSubstr("header's length, 23"));
  EXPECT_THAT(error_with(12, UINT32_MAX), HasSubstr("header's length"));
  EXPECT_THAT(error_with(16, uint64_t{39}), HasSubstr("header's length"));
  EXPECT_THAT(error_with(16, size + 1), HasSubstr("cut short: its program"));
  EXPECT_THAT(error_with(16, UINT64_MAX), HasSubstr("cut short: its program"));
  EXPECT_THAT(error_with(24, uint64_t{1}), HasSubstr("its segments begin at 1"));
  EXPECT_THAT(error_with(24, size + 1), HasSubstr("its segments begin at"));
  EXPECT_THAT(error_with(24, uint64_t{0}), HasSubstr("segment 0, 5 bytes at 0"));
  EXPECT_THAT(error_with(32, size), HasSubstr("cut short: its segments take"));
  EXPECT_THAT(error_with(32, UINT64_MAX), HasSubstr("cut short: its segments take"));
  EXPECT_THAT(error_with(32, uint64_t{128}), HasSubstr("segment 1, 6 bytes at 128"));
}

TEST(HeaderTest, ShortHeadersAreRead) {
  auto bytes = with_segments();
  put(bytes, 12, uint32_t{24});
  EXPECT_EQ(read_error(bytes), "");
}

TEST(LayoutCheckTest, SegmentsAreInOrderAndApart) {
  for (const auto& shifts : std::vector<std::vector<int64_t>>{
           {0, -1}, {0, -128}, {0, -124}, {128, 0}, {0, 1}, {-1, 0}, {0, INT64_MIN}, {0, -129}}) {
    TestProgram p;
    p.segment("first");
    p.segment("second");
    p.segment_shifts = shifts;
    // Not aligned is none of our business as long as they lie apart.
    EXPECT_EQ(read_error(p).empty(), shifts[1] == -1) << shifts[0] << " " << shifts[1];
  }
}

TEST(LayoutCheckTest, NamedDataIsInASegment) {
  const auto error_with = [](const char* key, uint32_t segment) {
    TestProgram p;
    p.segment("blob");
    p.named("first", 0);
    p.named(key, segment);
    return read_error(p);
  };
  EXPECT_EQ(error_with("second", 0), "");
  EXPECT_THAT(error_with("second", 1), HasSubstr("named data \"second\" is in segment 1 of 1"));
  EXPECT_THAT(error_with("first", 0), HasSubstr("is there twice"));
  EXPECT_THAT(error_with(nullptr, 0), HasSubstr("a key of named data is missing"));
}

TEST(LayoutCheckTest, SubsegmentsAreInASegment) {
  const auto error_with = [](uint32_t segment, const std::vector<uint64_t>& offsets) {
    TestProgram p;
    p.segment(std::string(32, '\0'));
    p.constants(segment, offsets);
    p.initial_values(0, {0, 16});
    return read_error(p);
  };
  EXPECT_EQ(error_with(0, {0, 0, 32}), "");
  EXPECT_EQ(error_with(7, {0}), "");
  EXPECT_THAT(error_with(1, {0, 0}), HasSubstr("constant_segment is in segment 1 of 1"));
  EXPECT_THAT(error_with(0, {0, 33}), HasSubstr("an offset 33 in a segment of 32"));
  TestProgram p;
  p.segment(std::string(32, '\0'));
  p.initial_values(0, {0, UINT64_MAX});
  EXPECT_THAT(read_error(p), HasSubstr("mutable_data_segments has an offset"));
}

TEST(LayoutCheckTest, ConstantsAreInOnePlace) {
  TestProgram p;
  p.constants(p.segment(std::string(32, '\0')), {0, 0});
  p.inline_constant({1});
  EXPECT_THAT(read_error(p), HasSubstr("both constant_segment and constant_buffer"));
}

TEST(LayoutCheckTest, MemoryMustBeAligned) {
  auto bytes = with_segments();
  bytes.insert(bytes.begin(), std::byte{0});
  const OwnedSpan owned = own_bytes(bytes);
  const auto file = File::read({owned.bytes.subspan(1), owned.owner}, "test.pte");
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace slipway::pte
