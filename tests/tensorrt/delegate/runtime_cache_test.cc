// Contexts of TensorRT-RTX, whose kernels are kept from process to process.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/piece_writer.h"
#include "base/test_folder.h"
#include "tensorrt/delegate/delegate_test.h"

namespace slipway::tensorrt {
namespace {

namespace fs = std::filesystem;

class RuntimeCacheTest : public DelegateTest {
 protected:
  void SetUp() override {
    DelegateTest::SetUp();
    use_version(kRtx);
    ::setenv("SLIPWAY_TENSORRT_RUNTIME_CACHE", (folder_ / "kernels").c_str(), 1);
  }

  // How many times kernels were compiled for the engine.
  int compiled(const std::string& more = "") {
    const int before = tensorrt.kernels_compiled;
    Handle engine(doubling(more));
    EXPECT_EQ(engine.error(), et::Error::Ok) << engine.log();
    TestTensor x({1, 3}, {1, 2, 3});
    TestTensor y({1, 3});
    EXPECT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
    EXPECT_EQ(y.floats(), (std::vector<float>{3, 5, 7}));
    return tensorrt.kernels_compiled - before;
  }
  static std::string text_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::vector<std::string> files() const {
    std::vector<std::string> files;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder_ / "kernels", none)) {
      files.push_back(entry.path());
    }
    return files;
  }

  TestFolder folder_;
};

TEST_F(RuntimeCacheTest, KernelsAreCompiledOnceForEachEngine) {
  EXPECT_EQ(compiled(), 1);
  EXPECT_EQ(compiled(), 0);
  EXPECT_EQ(compiled("weights 16\n"), 1) << "another engine";
  EXPECT_EQ(compiled("weights 16\n"), 0);
  EXPECT_EQ(files().size(), 2u);
}

TEST_F(RuntimeCacheTest, WhatIsDamagedIsCompiledAgain) {
  EXPECT_EQ(compiled(), 1);
  ASSERT_EQ(files().size(), 1u);
  const std::string path = files().front();
  const std::string whole = text_of(path);
  for (const size_t at : {size_t{0}, size_t{30}, whole.size() - 1}) {
    std::string damaged = whole;
    damaged[at] ^= 1;
    ASSERT_TRUE(write_file(path, damaged).ok());
    EXPECT_EQ(compiled(), 1) << at;
    EXPECT_EQ(text_of(path), whole);
  }
  for (const size_t length : {size_t{0}, size_t{30}, whole.size() - 1}) {
    ASSERT_TRUE(write_file(path, whole.substr(0, length)).ok());
    EXPECT_EQ(compiled(), 1) << length;
    EXPECT_EQ(text_of(path), whole);
  }
}

TEST_F(RuntimeCacheTest, AFolderThatCannotBeWrittenIsNoError) {
  ASSERT_TRUE(write_file(folder_ / "kernels", std::string("a file")).ok());
  EXPECT_EQ(compiled(), 1);
  EXPECT_EQ(compiled(), 1);
  ::setenv("SLIPWAY_TENSORRT_RUNTIME_CACHE", "", 1);
  EXPECT_EQ(compiled(), 1) << "none is wanted";
}

TEST_F(RuntimeCacheTest, OtherVersionsHaveNone) {
  for (const int version : {kT10, kT11}) {
    use_version(version);
    EXPECT_EQ(compiled(), 0);
  }
  EXPECT_TRUE(files().empty());
}

}  // namespace
}  // namespace slipway::tensorrt
