#include "base/piece_writer.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/test_folder.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

class PieceWriterTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }
  size_t files() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()));
  }
  static std::string read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }

  TestFolder folder_;
};

ByteProducer produce_text(std::string text) {
  return [text = std::move(text)](const ByteSink& sink) -> Status {
    for (char c : text) {
      if (auto status = sink(std::as_bytes(std::span(&c, 1))); !status.ok()) return status;
    }
    return {};
  };
}

TEST_F(PieceWriterTest, PiecesLieAtTheirOffsets) {
  PieceList pieces;
  EXPECT_EQ(pieces.add(own_bytes(std::string("abc"))), 0u);
  pieces.align(8);
  EXPECT_EQ(pieces.add(2, produce_text("xy")), 8u);
  pieces.align(2);
  EXPECT_EQ(pieces.add(own_bytes(std::string("z"))), 10u);
  EXPECT_EQ(pieces.size(), 11u);
  ASSERT_TRUE(write_file(path("out"), pieces).ok());
  const std::string expected("abc\0\0\0\0\0xyz", 11);
  EXPECT_EQ(read(path("out")), expected);
  EXPECT_EQ(files(), 1u);
  auto memory = write_to_memory(pieces);
  ASSERT_TRUE(memory.ok());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(memory->data()), memory->size()), expected);
}

TEST_F(PieceWriterTest, LargeSpansGoInChunksAndProgressReachesTheEnd) {
  const std::vector<std::byte> big(9 << 20, std::byte{5});
  PieceList pieces;
  pieces.add(OwnedSpan{big, nullptr});
  size_t largest = 0;
  ASSERT_TRUE(pieces
                  .write([&](std::span<const std::byte> chunk) -> Status {
                    largest = std::max(largest, chunk.size());
                    return {};
                  })
                  .ok());
  EXPECT_EQ(largest, size_t{256} << 10);
  std::vector<uint64_t> seen;
  ASSERT_TRUE(write_file(path("big"), pieces, [&](uint64_t done, uint64_t total) {
                EXPECT_EQ(total, big.size());
                seen.push_back(done);
              }).ok());
  EXPECT_EQ(seen.size(), 36U);
  EXPECT_EQ(seen.front(), uint64_t{256} << 10);
  EXPECT_EQ(seen.back(), big.size());
}

TEST_F(PieceWriterTest, AnEarlierFileIsReplaced) {
  ASSERT_TRUE(write_file(path("out"), std::string("old and longer")).ok());
  ASSERT_TRUE(write_file(path("out"), std::string("new")).ok());
  EXPECT_EQ(read(path("out")), "new");
}

TEST_F(PieceWriterTest, AFileMayBeWrittenFromItsOwnMapping) {
  ASSERT_TRUE(write_file(path("out"), std::string("0123456789")).ok());
  auto mapping = MappedFile::open(path("out"));
  ASSERT_TRUE(mapping.ok());
  PieceList pieces;
  pieces.add(OwnedSpan{(*mapping)->bytes().subspan(5), *mapping});
  pieces.add(OwnedSpan{(*mapping)->bytes().first(5), *mapping});
  ASSERT_TRUE(write_file(path("out"), pieces).ok());
  EXPECT_EQ(read(path("out")), "5678901234");
}

TEST_F(PieceWriterTest, ALinkKeepsItsPlaceAndItsTargetIsReplaced) {
  ASSERT_TRUE(write_file(path("target"), std::string("old")).ok());
  fs::create_symlink(path("target"), path("link"));
  ASSERT_TRUE(write_file(path("link"), std::string("new")).ok());
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(read(path("target")), "new");
}

TEST_F(PieceWriterTest, WhatADanglingLinkNamesIsMade) {
  fs::create_directory(path("folder"));
  fs::create_symlink("folder/target", path("link"));
  fs::create_symlink("link", path("further"));
  ASSERT_TRUE(write_file(path("further"), std::string("new")).ok());
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(read(path("folder/target")), "new");
  fs::create_symlink("circle", path("circle"));
  EXPECT_FALSE(write_file(path("circle"), std::string("new")).ok());
}

TEST_F(PieceWriterTest, PermissionsOfAnEarlierFileAreKept) {
  for (const mode_t mode : {0600, 0640, 0444, 0755}) {
    ASSERT_TRUE(write_file(path("out"), std::string("old")).ok());
    ASSERT_EQ(::chmod(path("out").c_str(), mode), 0);
    ASSERT_TRUE(write_file(path("out"), std::string("new")).ok());
    EXPECT_EQ(static_cast<mode_t>(fs::status(path("out")).permissions()), mode);
    EXPECT_EQ(read(path("out")), "new");
  }
}

TEST_F(PieceWriterTest, PermissionsFollowTheUmask) {
  const mode_t earlier = ::umask(027);
  const Status status = write_file(path("out"), std::string("x"));
  ::umask(earlier);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(static_cast<int>(fs::status(path("out")).permissions()), 0640);
}

TEST_F(PieceWriterTest, AProducerThatLiesIsAnInternalErrorAndLeavesNothing) {
  ASSERT_TRUE(write_file(path("out"), std::string("old")).ok());
  for (const char* text : {"ab", "abcd"}) {
    PieceList pieces;
    pieces.add(3, produce_text(text));
    const Status status = write_file(path("out"), pieces);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code(), ErrorCode::kInternal);
    EXPECT_EQ(read(path("out")), "old");
    EXPECT_EQ(files(), 1u);
  }
}

TEST_F(PieceWriterTest, AProducersErrorIsPassedOn) {
  PieceList pieces;
  pieces.add(3, [](const ByteSink&) -> Status { return invalid_file("the weight is damaged"); });
  const Status status = write_file(path("out"), pieces);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message(), "the weight is damaged");
  EXPECT_EQ(files(), 0u);
}

TEST_F(PieceWriterTest, AFullDiskLeavesTheEarlierFileAlone) {
  ASSERT_TRUE(write_file(path("out"), std::string("old")).ok());
  PieceList pieces;
  pieces.add(own_bytes(std::vector<std::byte>(1 << 20)));
  // A limit on the size of files stands for the full disk. Its signal would end the test.
  struct rlimit earlier = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &earlier), 0);
  struct rlimit small = earlier;
  small.rlim_cur = 64 << 10;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status status = write_file(path("out"), pieces);
  ::setrlimit(RLIMIT_FSIZE, &earlier);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_NE(status.error().message().find(path("out")), std::string::npos);
  EXPECT_EQ(read(path("out")), "old");
  EXPECT_EQ(files(), 1u);
}

TEST_F(PieceWriterTest, AFolderThatTakesNoFilesIsAnError) {
  // /proc refuses new files to everybody, root included.
  const Status refused = write_file("/proc/slipway.pte", std::string("x"));
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message().find("/proc/slipway.pte: cannot be created"),
            std::string::npos);
  const Status missing = write_file(path("no/such/folder/out"), std::string("x"));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
}

TEST_F(PieceWriterTest, FoldersAndDevicesAreNotReplaced) {
  EXPECT_FALSE(write_file(folder_.path(), std::string("x")).ok());
  EXPECT_FALSE(write_file("/dev/null", std::string("x")).ok());
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST_F(PieceWriterTest, AnAbsurdSizeInMemoryIsAnError) {
  PieceList pieces;
  pieces.add(uint64_t{1} << 63, produce_text(""));
  auto memory = write_to_memory(pieces);
  ASSERT_FALSE(memory.ok());
  EXPECT_EQ(memory.error().code(), ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace slipway
