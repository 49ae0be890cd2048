#include "base/file_writer.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/test_folder.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

class FileWriterTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }
  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(path(name), std::ios::binary).rdbuf();
    return text.str();
  }

  TestFolder folder_;
};

TEST_F(FileWriterTest, WhatACheckRefusesReplacesNothing) {
  ASSERT_TRUE(write_file(path("out"), std::string("old")).ok());
  PieceList pieces;
  pieces.add(own_bytes(std::string("new")));
  std::string seen;
  const Status refused = write_file(path("out"), pieces, {}, [&](const OwnedSpan& file) -> Status {
    seen.assign(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
    return invalid_file("of no use");
  });
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message(), "of no use");
  EXPECT_EQ(seen, "new");
  EXPECT_EQ(read("out"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
  ASSERT_TRUE(write_file(path("out"), pieces, {}, [](const OwnedSpan&) { return Status(); }).ok());
  EXPECT_EQ(read("out"), "new");
}

TEST_F(FileWriterTest, OfFilesThatBelongTogetherAllAreReplacedOrNone) {
  ASSERT_TRUE(write_file(path("a"), std::string("old")).ok());
  PieceList a;
  a.add(own_bytes(std::string("new a")));
  PieceList b;
  b.add(own_bytes(std::string("new b")));
  const auto refuse = [](const OwnedSpan&) -> Status { return invalid_file("of no use"); };
  EXPECT_FALSE(write_files({{path("a"), &a}, {path("b"), &b, refuse}}, {}).ok());
  EXPECT_FALSE(write_files({{path("a"), &a}, {path("none/b"), &b}}, {}).ok());
  EXPECT_EQ(read("a"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
  std::pair<uint64_t, uint64_t> progress;
  const auto note = [&](uint64_t done, uint64_t total) { progress = {done, total}; };
  ASSERT_TRUE(write_files({{path("a"), &a}, {path("b"), &b}}, note).ok());
  EXPECT_EQ(progress, (std::pair<uint64_t, uint64_t>{10, 10}));
  EXPECT_EQ(read("a"), "new a");
  EXPECT_EQ(read("b"), "new b");
}

TEST_F(FileWriterTest, AnInputIsKnownByAllItsNames) {
  ASSERT_TRUE(write_file(path("in"), std::string("x")).ok());
  ASSERT_TRUE(write_file(path("other"), std::string("x")).ok());
  fs::create_symlink("in", path("link"));
  fs::create_hard_link(path("in"), path("hard"));
  for (const char* name : {"in", "link"}) {
    const auto input = FileIdentity::of(path(name));
    ASSERT_TRUE(input.ok());
    for (const char* output : {"in", "link", "hard", "./in"}) {
      const Status status = input->check_not_output(path(output));
      ASSERT_FALSE(status.ok()) << output;
      EXPECT_EQ(status.error().code(), ErrorCode::kInvalidArgument);
      EXPECT_NE(status.error().message().find(path(output)), std::string::npos);
    }
    EXPECT_TRUE(input->check_not_output(path("other")).ok());
    EXPECT_TRUE(input->check_not_output(path("none")).ok());
  }
}

TEST_F(FileWriterTest, ChangesOfAFileAreNoticedButNotItsReplacement) {
  ASSERT_TRUE(write_file(path("in"), std::string("0123456789")).ok());
  const auto identity = [&] {
    // A time in the past, which no change of now can have.
    fs::last_write_time(path("in"), fs::file_time_type::clock::now() - std::chrono::hours(1));
    return *FileIdentity::of(path("in"));
  };
  const FileIdentity first = identity();
  EXPECT_TRUE(first.check_unchanged().ok());
  std::fstream(path("in"), std::ios::in | std::ios::out) << "x";
  EXPECT_FALSE(first.check_unchanged().ok());
  const FileIdentity second = identity();
  fs::resize_file(path("in"), 5);
  const Status cut = second.check_unchanged();
  ASSERT_FALSE(cut.ok());
  EXPECT_NE(cut.error().message().find("was changed after it was read"), std::string::npos);
  const FileIdentity third = identity();
  ASSERT_TRUE(write_file(path("in"), std::string("another file")).ok());
  EXPECT_TRUE(third.check_unchanged().ok());
  fs::remove(path("in"));
  EXPECT_TRUE(third.check_unchanged().ok());
  // Whoever mapped it sees what is done to it under another name.
  ASSERT_TRUE(write_file(path("in"), std::string("0123456789")).ok());
  const FileIdentity moved = identity();
  fs::rename(path("in"), path("elsewhere"));
  EXPECT_TRUE(moved.check_unchanged().ok());
  std::fstream(path("elsewhere"), std::ios::in | std::ios::out) << "x";
  EXPECT_FALSE(moved.check_unchanged().ok());
}

// A file on its way beside "out", with `text` from byte 4 on.
class StartedFileTest : public FileWriterTest {
 protected:
  StartedFile start(const std::string& text, const std::string& beside = "out") {
    auto file = TemporaryFile::create_beside(path(beside));
    EXPECT_TRUE(file.ok());
    EXPECT_TRUE(file->reserve(4).ok());
    EXPECT_TRUE(file->append(std::as_bytes(std::span(text))).ok());
    auto bytes = file->map();
    EXPECT_TRUE(bytes.ok());
    bytes->bytes = bytes->bytes.subspan(4);
    return {std::move(*file), *bytes, 4};
  }
  // "head", the span and "tail", where the span is behind a producer as segments of files are.
  static PieceList pieces_of(const OwnedSpan& span, const std::string& head) {
    PieceList content;
    content.add(span);
    PieceList pieces;
    pieces.add(own_bytes(head));
    pieces.add(content, [content](const ByteSink& sink) { return content.write(sink); });
    pieces.add(own_bytes(std::string("tail")));
    return pieces;
  }
  static ino_t inode_of(const std::string& path) {
    struct stat status = {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_ino;
  }
  static ino_t inode_of(const OwnedSpan& mapped) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      uint64_t first = 0;
      uint64_t end = 0;
      unsigned long inode = 0;
      const auto place = reinterpret_cast<uint64_t>(mapped.bytes.data());
      if (std::sscanf(line.c_str(), "%lx-%lx %*s %*s %*s %lu", &first, &end, &inode) == 3 &&
          first <= place && place < end) {
        return inode;
      }
    }
    return 0;
  }
};

TEST_F(StartedFileTest, IsFinishedInPlace) {
  ASSERT_TRUE(write_file(path("out"), std::string("old")).ok());
  StartedFile started = start("0123456789");
  const OwnedSpan bytes = started.bytes;
  uint64_t reported = 0;
  const auto progress = [&](uint64_t written, uint64_t) { reported = written; };
  const Status written = write_file(path("out"), pieces_of(bytes, "head"), progress, {}, &started);
  ASSERT_TRUE(written.ok()) << written.error().message();
  EXPECT_TRUE(started.is_used);
  EXPECT_EQ(read("out"), "head0123456789tail");
  EXPECT_EQ(reported, 18u);
  EXPECT_EQ(inode_of(path("out")), inode_of(bytes));
  // Its bytes can be written again, into another file.
  ASSERT_TRUE(write_file(path("again"), pieces_of(bytes, "HEAD")).ok());
  EXPECT_EQ(read("again"), "HEAD0123456789tail");
  EXPECT_EQ(read("out"), "head0123456789tail");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 2);
}

TEST_F(StartedFileTest, IsCopiedWhereItsBytesBelongElsewhere) {
  fs::create_directory(path("other"));
  fs::create_directory_symlink(".", path("same"));
  StartedFile linked = start("0123456789", "same/out");
  ASSERT_TRUE(write_file(path("out"), pieces_of(linked.bytes, "head"), {}, {}, &linked).ok());
  EXPECT_TRUE(linked.is_used) << "the folder by another name";
  for (const auto& [head, beside] :
       {std::pair("longer head", "out"), {"", "out"}, {"head", "other/out"}}) {
    StartedFile started = start("0123456789", beside);
    const OwnedSpan bytes = started.bytes;
    ASSERT_TRUE(write_file(path("out"), pieces_of(bytes, head), {}, {}, &started).ok());
    EXPECT_EQ(read("out"), std::string(head) + "0123456789tail");
    EXPECT_FALSE(started.is_used);
    EXPECT_NE(inode_of(path("out")), inode_of(bytes));
  }
  StartedFile started = start("0123456789");
  ASSERT_TRUE(write_file(path("out"), pieces_of(own_bytes(std::string("other bytes")), "head"), {},
                         {}, &started)
                  .ok());
  EXPECT_EQ(read("out"), "headother bytestail");
}

TEST_F(StartedFileTest, LeavesTheEarlierFileWhereTheCheckFails) {
  ASSERT_TRUE(write_file(path("out"), std::string("old")).ok());
  StartedFile started = start("0123456789");
  const OwnedSpan bytes = started.bytes;
  const auto check = [](const OwnedSpan&) -> Status { return invalid_file("of no use"); };
  EXPECT_FALSE(write_file(path("out"), pieces_of(bytes, "head"), {}, check, &started).ok());
  EXPECT_EQ(read("out"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
  ASSERT_TRUE(write_file(path("out"), pieces_of(bytes, "head")).ok());
  EXPECT_EQ(read("out"), "head0123456789tail");
}

}  // namespace
}  // namespace slipway
