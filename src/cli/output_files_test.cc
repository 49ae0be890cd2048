#include "cli/output_files.h"

#include <filesystem>
#include <set>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/test_folder.h"
#include "slipway/npy.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

TEST(FileNameOf, KeepsPlainNames) {
  EXPECT_EQ(file_name_of("layers.0.running_mean"), "layers.0.running_mean");
  EXPECT_EQ(file_name_of("input.3"), "input.3");
}

TEST(FileNameOf, EscapesEverythingThatIsNoPlainFileName) {
  EXPECT_EQ(file_name_of("../x"), "%2E.%2Fx");
  EXPECT_EQ(file_name_of("/etc/passwd"), "%2Fetc%2Fpasswd");
  EXPECT_EQ(file_name_of(".."), "%2E.");
  EXPECT_EQ(file_name_of(""), "%");
  EXPECT_EQ(file_name_of(std::string("a\0b", 3)), "a%00b");
  EXPECT_EQ(file_name_of("a\\b c%"), "a%5Cb%20c%25");
  EXPECT_EQ(file_name_of("\xc3\xa9"), "%C3%A9");
}

TEST(FileNameOf, ShortensLongNamesAndKeepsThemDistinct) {
  const std::string a = file_name_of(std::string(5000, 'a'));
  const std::string b = file_name_of(std::string(5001, 'a'));
  EXPECT_LE(a.size(), 200u);
  EXPECT_NE(a, b);
}

class WriteTensors : public testing::Test {
 protected:
  Status write(const std::vector<std::string>& names) {
    std::vector<std::pair<std::string, Tensor>> tensors;
    tensors.reserve(names.size());
    for (const std::string& name : names) {
      tensors.emplace_back(name, *Tensor::zeros(DType::kFloat32, {2}));
    }
    return write_tensors(folder_ / "in/out", tensors);
  }

  // Relative to the folder that was asked for.
  std::set<std::string> files() const {
    std::set<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      if (entry.is_regular_file()) {
        found.insert(fs::relative(entry.path(), folder_ / "in/out").string());
      }
    }
    return found;
  }

  TestFolder folder_;
};

TEST_F(WriteTensors, StaysInsideOfTheFolder) {
  ASSERT_TRUE(
      write({"../x", "/tmp/y", "", "a", std::string("n\0", 2), std::string(9000, 'z')}).ok());
  EXPECT_EQ(files().size(), 6u);
  for (const std::string& file : files()) {
    EXPECT_EQ(file.find('/'), std::string::npos) << file;
    EXPECT_NE(file.front(), '.') << file;
  }
}

TEST_F(WriteTensors, RefusesCollidingNamesBeforeWritingAnything) {
  for (const auto& names :
       std::vector<std::vector<std::string>>{{"a", "b", "a"}, {"Scale", "scale"}}) {
    const Status status = write(names);
    ASSERT_FALSE(status.ok());
    EXPECT_NE(status.error().message().find("would be one file"), std::string::npos);
  }
  EXPECT_TRUE(files().empty());
}

TEST_F(WriteTensors, ReplacesALinkInsteadOfFollowingIt) {
  fs::create_directories(folder_ / "in/out");
  ASSERT_TRUE(write_npy(folder_ / "victim", *Tensor::zeros(DType::kInt64, {1})).ok());
  fs::create_symlink(folder_ / "victim", folder_ / "in/out/a.npy");
  ASSERT_TRUE(write({"a"}).ok());
  EXPECT_EQ(read_npy(folder_ / "victim")->dtype(), DType::kInt64);
  EXPECT_EQ(read_npy(folder_ / "in/out/a.npy")->dtype(), DType::kFloat32);
}

TEST_F(WriteTensors, OutputsReplaceLinksToo) {
  const fs::path out = folder_ / "in/out";
  fs::create_directories(out);
  for (const char* name : {"0.npy", "outputs.json"}) {
    fs::create_symlink(folder_ / "victim", out / name);
  }
  const Status status =
      write_outputs(out.string(), {*Tensor::zeros(DType::kFloat32, {2})}, {ValueInfo()}, Tree());
  ASSERT_TRUE(status.ok()) << status.error().message();
  EXPECT_FALSE(fs::exists(folder_ / "victim"));
  EXPECT_EQ(files(), (std::set<std::string>{"0.npy", "outputs.json"}));
}

TEST_F(WriteTensors, SaysWhyAFolderCannotBeMade) {
  ASSERT_TRUE(write_npy(folder_ / "in", *Tensor::zeros(DType::kInt64, {1})).ok());
  const Status status = write({"a"});
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message().find("in/out"), std::string::npos) << status.error().message();
}

}  // namespace
}  // namespace slipway::cli
