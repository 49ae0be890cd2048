#include "base/mapped_file.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/mapped_place.h"

namespace slipway {
namespace {

std::string temporary_path(const std::string& name) { return testing::TempDir() + name; }

TEST(MappedFileTest, BytesOutliveTheHandleThatOpenedThem) {
  const std::string path = temporary_path("mapped_file_test.bin");
  std::ofstream(path) << "slipway";
  auto file = MappedFile::open(path);
  ASSERT_TRUE(file.ok());
  const std::shared_ptr<const MappedFile> held = *file;
  std::filesystem::remove(path);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(held->bytes().data()), held->bytes().size()),
            "slipway");
  EXPECT_EQ(held->path(), path);
}

TEST(MappedFileTest, MapsAnOpenFile) {
  std::FILE* stream = std::tmpfile();
  ASSERT_NE(stream, nullptr);
  std::fputs("slipway", stream);
  std::fflush(stream);
  auto file = MappedFile::map(::fileno(stream), "a file without a name");
  std::fclose(stream);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((*file)->bytes().size(), 7u);
  EXPECT_EQ((*file)->bytes()[0], std::byte{'s'});
  EXPECT_EQ(MappedFile::map(-1, "nothing").error().message().substr(0, 23),
            "nothing: cannot be read");
}

TEST(MappedFileTest, EmptyFileIsEmpty) {
  const std::string path = temporary_path("mapped_file_test.empty");
  std::ofstream(path).flush();
  auto file = MappedFile::open(path);
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE((*file)->bytes().empty());
}

TEST(MappedFileTest, ErrorsNameThePathAndTheReason) {
  auto missing = MappedFile::open(temporary_path("no_such_file"));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(missing.error().message().find("no_such_file: cannot be opened: No such file"),
            std::string::npos);
  auto folder = MappedFile::open(testing::TempDir());
  ASSERT_FALSE(folder.ok());
  EXPECT_NE(folder.error().message().find("is a folder"), std::string::npos);
  auto device = MappedFile::open("/dev/null");
  ASSERT_FALSE(device.ok());
  EXPECT_EQ(device.error().code(), ErrorCode::kInvalidArgument);
}

std::string contents(const std::optional<Descriptor>& file) {
  if (!file) return "none";
  auto mapped = MappedFile::map(file->number(), "a file that was opened again");
  if (!mapped.ok()) return mapped.error().message();
  return {reinterpret_cast<const char*>((*mapped)->bytes().data()), (*mapped)->bytes().size()};
}

TEST(MappedPlaceTest, FindsTheFileBehindBytes) {
  const std::string path = temporary_path("mapped_place_test.bin");
  std::ofstream(path) << "slipway";
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file.ok());
  const auto bytes = (*file)->bytes();
  EXPECT_EQ(find_mapped_file(bytes), file->get());
  EXPECT_EQ(find_mapped_file(bytes.subspan(3)), file->get());
  EXPECT_EQ(find_mapped_file({bytes.data() + 3, 5}), nullptr);
  const std::vector<std::byte> other(7);
  EXPECT_EQ(find_mapped_file(other), nullptr);
  EXPECT_EQ(contents(reopen(**file)), "slipway");
  // Another file under its name.
  std::filesystem::rename(path, path + ".moved");
  std::ofstream(path) << "another";
  EXPECT_FALSE(reopen(**file));
  std::filesystem::remove(path);
  EXPECT_FALSE(reopen(**file));
  std::filesystem::remove(path + ".moved");
}

TEST(MappedPlaceTest, OpensAFileWithoutAName) {
  std::FILE* stream = std::tmpfile();
  ASSERT_NE(stream, nullptr);
  std::fputs("slipway", stream);
  std::fflush(stream);
  const auto file = MappedFile::map(::fileno(stream), "a file without a name");
  std::fclose(stream);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(contents(reopen(**file)), "slipway");
}

TEST(OwnBytesTest, TextAndBytesAreKept) {
  OwnedSpan text = own_bytes(std::string("abc"));
  EXPECT_EQ(text.bytes.size(), 3u);
  EXPECT_EQ(text.bytes[2], std::byte{'c'});
  OwnedSpan bytes = own_bytes(std::vector<std::byte>(5, std::byte{9}));
  EXPECT_EQ(bytes.bytes[4], std::byte{9});
  EXPECT_EQ(bytes.owner.use_count(), 1);
}

}  // namespace
}  // namespace slipway
