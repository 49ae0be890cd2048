#include "model_library/library.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "base/memory_limit_test.h"
#include "base/sparse_file_test.h"
#include "base/test_folder.h"
#include "base/try.h"

namespace slipway::model_library {
namespace {

constexpr size_t kPage = 4096;
constexpr uint64_t kGiB = uint64_t{1} << 30;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

const std::string& stub() {
  static const std::string text = "\177ELF" + std::string(100, 's');
  return text;
}

PieceList pieces_of(const std::string& program) {
  PieceList pieces;
  pieces.add(OwnedSpan{bytes_of(program), nullptr});
  return pieces;
}

std::vector<std::byte> library_with(const std::string& program) {
  auto bytes = write_to_memory(make_library(bytes_of(stub()), pieces_of(program)));
  EXPECT_TRUE(bytes.ok());
  return *bytes;
}

TEST(ModelLibraryTest, TheProgramIsFoundAtAPage) {
  for (const size_t size : {0, 1, 8, 5000}) {
    const std::string program(size, 'p');
    const auto bytes = library_with(program);
    EXPECT_EQ(std::memcmp(bytes.data(), stub().data(), stub().size()), 0);
    EXPECT_TRUE(has_program(bytes));
    const auto found = program_of(bytes);
    ASSERT_TRUE(found.ok()) << found.error().message();
    EXPECT_EQ(found->data() - bytes.data(), kPage);
    ASSERT_EQ(found->size(), size);
    EXPECT_EQ(std::memcmp(found->data(), program.data(), size), 0);
  }
}

TEST(ModelLibraryTest, OtherFilesAreTheProgram) {
  for (const std::string other : {"", "\177EL", "a program"}) {
    EXPECT_FALSE(is_elf(bytes_of(other)));
    const auto found = program_of(bytes_of(other));
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(found->size(), other.size());
  }
}

TEST(ModelLibraryTest, WhatIsCutOrStrippedSaysSo) {
  const auto bytes = library_with(std::string(5000, 'p'));
  for (size_t size = 4; size < bytes.size(); ++size) {
    const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(has_program(cut)) << size;
    const auto found = program_of(cut);
    ASSERT_FALSE(found.ok()) << size;
    EXPECT_EQ(found.error().code(), ErrorCode::kInvalidFile);
    EXPECT_NE(found.error().message().find("strip"), std::string::npos);
  }
  auto longer = bytes;
  longer.push_back({});
  EXPECT_FALSE(program_of(longer).ok());
}

TEST(ModelLibraryTest, EveryDamageAroundTheProgramIsFound) {
  const std::string program(5000, 'p');
  auto bytes = library_with(program);
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const int bit : {1, 0x80}) {
      bytes[i] ^= std::byte(bit);
      const auto found = program_of(bytes);
      if (i < 4) {
        // It is no library then, nor anything else that is known.
        ASSERT_TRUE(found.ok() && found->size() == bytes.size()) << i;
      } else {
        // The program's own reader looks at its bytes.
        const bool is_inside = i >= kPage && i < kPage + program.size();
        ASSERT_EQ(found.ok(), is_inside) << i;
      }
      bytes[i] ^= std::byte(bit);
    }
  }
  EXPECT_TRUE(program_of(bytes).ok());
}

// Numbers that only look right together.
TEST(ModelLibraryTest, SizesThatDoNotFitAreRefused) {
  const auto bytes = library_with(std::string(64, 'p'));
  for (const size_t field : {8, 16, 24}) {
    for (const uint64_t value : {uint64_t{0}, uint64_t{4095}, uint64_t{1} << 63, ~uint64_t{0},
                                 ~uint64_t{4095}, uint64_t{bytes.size()}}) {
      auto changed = bytes;
      std::memcpy(changed.data() + bytes.size() - 64 + field, &value, sizeof(value));
      EXPECT_FALSE(program_of(changed).ok()) << field << " " << value;
    }
  }
}

TEST(ModelLibraryTest, AProgramPastFourGiBIsMapped) {
  if (kSanitized) GTEST_SKIP() << "sanitizers check every byte of it";
  const TestFolder folder;
  const std::string path = folder / "large.so";
  const OwnedSpan program = make_sparse(5 * kGiB + 3, "program");
  ASSERT_EQ(program.bytes.size(), 5 * kGiB + 3);
  PieceList pieces;
  pieces.add(program);
  const Status written = write_sparse(make_library(bytes_of(stub()), pieces), path);
  ASSERT_TRUE(written.ok()) << written.error().message();
  const auto mapped = MappedFile::open(path);
  ASSERT_TRUE(mapped.ok()) << mapped.error().message();
  const auto found = program_of((*mapped)->bytes());
  ASSERT_TRUE(found.ok()) << found.error().message();
  ASSERT_EQ(found->size(), program.bytes.size());
  for (uint64_t at = 0; at < found->size(); at += kGiB / 2) {
    const uint64_t begin = at < 8 ? 0 : at - 8;
    const size_t size = std::min<uint64_t>(16, found->size() - begin);
    EXPECT_EQ(std::memcmp(found->data() + begin, program.bytes.data() + begin, size), 0) << at;
  }
  EXPECT_EQ(found->back(), program.bytes.back());
}

TEST(ModelLibraryTest, WritingOneTakesNoMemoryOfItsSize) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need memory of their own";
  const TestFolder folder;
  const std::string program = folder / "program";
  const int file = ::open(program.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  ASSERT_GE(file, 0);
  ASSERT_EQ(::ftruncate(file, kGiB / 2), 0);
  ::close(file);
  in_child([&]() -> std::string {
    if (!limit_data(uint64_t{32} << 20)) return "setrlimit failed";
    const auto mapped = MappedFile::open(program);
    if (!mapped.ok()) return mapped.error().message();
    PieceList pieces;
    pieces.add(OwnedSpan{(*mapped)->bytes(), *mapped});
    const Status written = write_file(folder / "model.so", make_library(bytes_of(stub()), pieces));
    return written.ok() ? "" : written.error().message();
  });
  const auto written = MappedFile::open(folder / "model.so");
  ASSERT_TRUE(written.ok());
  EXPECT_EQ(program_of((*written)->bytes())->size(), kGiB / 2);
}

}  // namespace
}  // namespace slipway::model_library
