#include "base/temporary_file.h"

#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

class TemporaryFileTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }
  std::set<std::string> names() const {
    std::set<std::string> names;
    for (const auto& item : fs::directory_iterator(folder_.path()))
      names.insert(item.path().filename());
    return names;
  }
  static std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
  }

  TestFolder folder_;
};

using Names = std::set<std::string>;

TEST_F(TemporaryFileTest, NobodySeesItBeforeItReplacesItsTarget) {
  for (const char* text : {"first", "second"}) {
    const Names before = names();
    auto file = TemporaryFile::create_beside(path("out"));
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->append(bytes(text)).ok());
    EXPECT_EQ(names(), before);
    ASSERT_TRUE(file->replace(path("out")).ok());
    EXPECT_EQ(names(), Names{"out"});
    std::ostringstream read;
    read << std::ifstream(path("out")).rdbuf();
    EXPECT_EQ(read.str(), text);
  }
}

TEST_F(TemporaryFileTest, GivesItsRoomToBeWrittenTo) {
  constexpr size_t kSize = 100'000;
  std::shared_ptr<std::byte[]> room;
  {
    auto file = TemporaryFile::create(folder_.path());
    ASSERT_TRUE(file.ok());
    auto allocated = file->allocate(kSize);
    ASSERT_TRUE(allocated.ok()) << allocated.error().message();
    room = *allocated;
    EXPECT_EQ(room[kSize - 1], std::byte{0});
    room[kSize - 1] = std::byte{1};
    const auto read = file->map();
    ASSERT_TRUE(read.ok());
    ASSERT_EQ(read->bytes.size(), kSize);
    EXPECT_EQ(read->bytes[kSize - 1], std::byte{1});
  }
  room[0] = std::byte{2};  // It outlives the file.
  EXPECT_EQ(names(), Names{});

  // More than there may be is an error, and no signal.
  auto file = TemporaryFile::create(folder_.path());
  ASSERT_TRUE(file.ok());
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit limit = {kSize, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const auto refused = file->allocate(kSize + 1);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message().find("cannot be written"), std::string::npos);
}

// A name that is free is needed for a moment, to replace a file.
TEST_F(TemporaryFileTest, WhatAProcessThatIsGoneLeftBehindIsRemoved) {
  std::ofstream(path("out")) << "old";
  std::ofstream(path("out.slipway-tmp")) << "left behind";
  auto file = TemporaryFile::create_beside(path("out"));
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->replace(path("out")).ok());
  EXPECT_EQ(names(), Names{"out"});
}

TEST_F(TemporaryFileTest, WhatAnotherIsWritingStays) {
  std::ofstream(path("out")) << "old";
  std::ofstream(path("out.slipway-tmp")) << "of another";
  const int other = ::open(path("out.slipway-tmp").c_str(), O_RDONLY);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  auto file = TemporaryFile::create_beside(path("out"));
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->replace(path("out")).ok());
  EXPECT_EQ(names(), (Names{"out", "out.slipway-tmp"}));
  ::close(other);
}

TEST_F(TemporaryFileTest, FoldersAndLinksAreNotTakenForLeftovers) {
  std::ofstream(path("out")) << "old";
  std::ofstream(path("precious")) << "kept";
  fs::create_symlink("precious", path("out.slipway-tmp"));
  fs::create_directory(path("out-1.slipway-tmp"));
  auto file = TemporaryFile::create_beside(path("out"));
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->replace(path("out")).ok());
  EXPECT_EQ(names(), (Names{"out", "out-1.slipway-tmp", "out.slipway-tmp", "precious"}));
}

TEST_F(TemporaryFileTest, TheLongestNameCanBeReplaced) {
  const std::string longest(255, 'n');
  for (int i = 0; i < 2; ++i) {
    auto file = TemporaryFile::create_beside(path(longest));
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->replace(path(longest)).ok());
  }
  EXPECT_EQ(names(), Names{longest});
}

TEST_F(TemporaryFileTest, AHandlerOfSignalsCanRemoveTheNames) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGTERM, [](int) {
      remove_temporary_names();
      ::_exit(3);
    });
    auto file = TemporaryFile::create_named(folder_.path());
    auto moved = std::move(file);
    ::_exit(moved.ok() && names().size() == 1 && ::raise(SIGTERM) == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 3);
  EXPECT_EQ(names(), Names());
}

}  // namespace
}  // namespace slipway
