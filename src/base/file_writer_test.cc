#include "base/file_writer.h"

#include <filesystem>
#include <fstream>
#include <sstream>

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
}

}  // namespace
}  // namespace slipway
