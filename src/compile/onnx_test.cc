#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>

#include <gtest/gtest.h>

#include "slipway/compile.h"

namespace slipway {
namespace {

class SaveOnnx : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ / name; }

 private:
  std::filesystem::path folder_ = std::filesystem::temp_directory_path() /
                                  ("slipway_save_onnx_test." + std::to_string(getpid()));
};

TEST_F(SaveOnnx, LowersEveryArchive) {
  int count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(SLIPWAY_TEST_DATA) + "/golden")) {
    const std::string name = entry.path().filename();
    if (entry.path().extension() != ".pt2" || name.starts_with("engine_")) continue;
    const auto program = Program::load(entry.path());
    ASSERT_TRUE(program.ok()) << program.error().message();
    const Status saved = save_onnx(*program, path(name + ".onnx"));
    if (name.starts_with("complex_")) {
      ASSERT_FALSE(saved.ok()) << name;
      EXPECT_NE(saved.error().message().find("ONNX has no complex64 tensors"), std::string::npos)
          << saved.error().message();
      EXPECT_FALSE(std::filesystem::exists(path(name + ".onnx")));
      continue;
    }
    EXPECT_TRUE(saved.ok()) << (saved.ok() ? "" : saved.error().message());
    EXPECT_GT(std::filesystem::file_size(path(name + ".onnx")), 100U) << name;
    ++count;
  }
  EXPECT_GT(count, 20);
}

// What an engine would be given, in its precision; no library of an engine is asked for.
TEST_F(SaveOnnx, PreparesForAnEngine) {
  const auto program = Program::load(std::string(SLIPWAY_TEST_DATA) + "/golden/mlp.pt2");
  ASSERT_TRUE(program.ok());
  const auto model = [&](const CompileOptions& options) {
    const Status saved = save_onnx(*program, path("mlp.onnx"), options);
    EXPECT_TRUE(saved.ok()) << (saved.ok() ? "" : saved.error().message());
    std::ifstream file(path("mlp.onnx"), std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(file)), {});
  };
  CompileOptions options;
  options.engine = EngineKind::kTensorRt;
  options.tensorrt.library = "/nowhere";
  EXPECT_EQ(model(options).find("relu_"), std::string::npos);
  options.tensorrt.precision = Precision::kFloat16;
  EXPECT_NE(model(options).find("relu_fp16"), std::string::npos);
  options.tensorrt.precision = Precision::kBFloat16;
  EXPECT_NE(model(options).find("relu_bf16"), std::string::npos);
}

TEST_F(SaveOnnx, NamesTheFileThatItCannotWrite) {
  const auto program = Program::load(std::string(SLIPWAY_TEST_DATA) + "/golden/mlp.pt2");
  ASSERT_TRUE(program.ok());
  const Status saved = save_onnx(*program, path("missing/mlp.onnx"));
  ASSERT_FALSE(saved.ok());
  EXPECT_NE(saved.error().message().find("mlp.onnx"), std::string::npos);
}

}  // namespace
}  // namespace slipway
