#include "compile/onnx.h"

#include <filesystem>
#include <string>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/mapped_file.h"
#include "compile/artefact.h"
#include "slipway/compile.h"

namespace slipway {
namespace {

using testing::HasSubstr;
using testing::Not;

class CompileToOnnx : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ / name; }

  static Program load(const std::string& name) {
    auto program = Program::load(std::string(SLIPWAY_TEST_DATA) + "/golden/" + name);
    EXPECT_TRUE(program.ok()) << program.error().message();
    return *program;
  }
  static std::string content(const std::string& path) {
    auto file = MappedFile::open(path);
    EXPECT_TRUE(file.ok()) << file.error().message();
    if (!file.ok()) return {};
    const auto bytes = (*file)->bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  static std::string in_memory(const Artefact& artefact) {
    const auto bytes = artefact.to_memory();
    EXPECT_TRUE(bytes.ok()) << bytes.error().message();
    if (!bytes.ok()) return {};
    return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
  }

 private:
  std::filesystem::path folder_ = std::filesystem::temp_directory_path() /
                                  ("slipway_compile_to_onnx_test." + std::to_string(getpid()));
};

TEST_F(CompileToOnnx, LowersEveryArchive) {
  int count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(SLIPWAY_TEST_DATA) + "/golden")) {
    const std::string name = entry.path().filename();
    if (entry.path().extension() != ".pt2" || name.starts_with("engine_")) continue;
    const auto model = compile(load(name), {.output = Output::kOnnx});
    if (name.starts_with("complex_")) {
      ASSERT_FALSE(model.ok()) << name;
      EXPECT_THAT(model.error().message(), HasSubstr("ONNX has no complex64 tensors"));
      continue;
    }
    // Loops, and an LSTM with projections.
    const std::string stem = name.substr(0, name.find('.'));
    if (stem == "map" || stem == "scan" || stem == "while_loop" || stem == "recurrent_loop") {
      ASSERT_FALSE(model.ok()) << name;
      EXPECT_THAT(model.error().message(), HasSubstr("can't be written in ONNX"));
      continue;
    }
    ASSERT_TRUE(model.ok()) << model.error().message();
    EXPECT_GT(model->size(), 100U) << name;
    ++count;
  }
  EXPECT_GT(count, 20);
}

TEST_F(CompileToOnnx, SavesWhatItGivesInMemory) {
  const auto model = compile(load("mlp.pt2"), {.output = Output::kOnnx});
  ASSERT_TRUE(model.ok()) << model.error().message();
  uint64_t last = 0;
  const Status saved = model->save(path("mlp.onnx"), [&](uint64_t done, uint64_t total) {
    EXPECT_LE(last, done);
    EXPECT_EQ(total, model->size());
    last = done;
  });
  ASSERT_TRUE(saved.ok()) << saved.error().message();
  EXPECT_EQ(last, model->size());
  EXPECT_TRUE(content(path("mlp.onnx")) == in_memory(*model));
  EXPECT_EQ(in_memory(*model).size(), model->size());
  EXPECT_FALSE(std::filesystem::exists(path("mlp.onnx.data")));
}

// As models past 2 GB do: each name that it is saved under has weights of its own.
TEST_F(CompileToOnnx, TooManyWeightsLieInASecondFile) {
  auto graph = lower_to_onnx(load("unet.pt2"), {.output = Output::kOnnx});
  ASSERT_TRUE(graph.ok()) << graph.error().message();
  Artefact::Impl impl;
  ASSERT_TRUE(impl.set_model(std::move(*graph), /*most_inline=*/1000).ok());
  const Artefact model = Artefact::Impl::make(std::move(impl));
  for (const std::string name : {"model.onnx", "another.onnx"}) {
    uint64_t last = 0;
    uint64_t expected = 0;
    const Status saved = model.save(path(name), [&](uint64_t done, uint64_t total) {
      EXPECT_LE(last, done);
      last = done;
      expected = total;
    });
    ASSERT_TRUE(saved.ok()) << saved.error().message();
    EXPECT_EQ(last, expected);
    EXPECT_NE(content(path(name)).find(name + ".data"), std::string::npos);
    EXPECT_EQ(content(path(name)).size() + content(path(name + ".data")).size(), expected);
    if (name == "model.onnx") {
      EXPECT_EQ(model.size(), expected);
    }
  }
  EXPECT_TRUE(content(path("model.onnx.data")) == content(path("another.onnx.data")));
  const auto memory = model.to_memory();
  ASSERT_FALSE(memory.ok());
  EXPECT_EQ(memory.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(memory.error().message(), HasSubstr("save it"));
}

// The weights are an output, too.
TEST_F(CompileToOnnx, DoesNotWriteOverWhatItReads) {
  std::filesystem::copy_file(std::string(SLIPWAY_TEST_DATA) + "/golden/unet.pt2",
                             path("model.onnx.data"));
  const auto program = Program::load(path("model.onnx.data"));
  ASSERT_TRUE(program.ok());
  auto graph = lower_to_onnx(*program, {.output = Output::kOnnx});
  ASSERT_TRUE(graph.ok());
  Artefact::Impl impl;
  ASSERT_TRUE(impl.set_model(std::move(*graph), /*most_inline=*/1000).ok());
  impl.sources.push_back(*FileIdentity::of(path("model.onnx.data")));
  const Status saved = Artefact::Impl::make(std::move(impl)).save(path("model.onnx"));
  ASSERT_FALSE(saved.ok());
  EXPECT_EQ(saved.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(path("model.onnx")));
}

// What an engine would be given, in its precision; no library of an engine is asked for.
TEST_F(CompileToOnnx, PreparesForAnEngine) {
  const Program program = load("mlp.pt2");
  const auto model = [&](const std::vector<EngineChoice>& engines) {
    const auto artefact = compile(program, {.output = Output::kEngineOnnx, .engines = engines});
    EXPECT_TRUE(artefact.ok()) << (artefact.ok() ? "" : artefact.error().message());
    return artefact.ok() ? in_memory(*artefact) : std::string();
  };
  EXPECT_THAT(model({{"tensorrt"}}), Not(HasSubstr("relu_")));
  EXPECT_THAT(model({{"tensorrt", {{"precision", "fp16"}}}}), HasSubstr("relu_fp16"));
  EXPECT_THAT(model({{"tensorrt", {{"precision", "bf16"}}}}), HasSubstr("relu_bf16"));
  for (const auto& engines :
       {std::vector<EngineChoice>(), std::vector<EngineChoice>{{"tensorrt"}, {"openvino"}}}) {
    const auto artefact = compile(program, {.output = Output::kEngineOnnx, .engines = engines});
    ASSERT_FALSE(artefact.ok());
    EXPECT_THAT(artefact.error().message(), HasSubstr("lowered for one engine"));
  }
}

TEST_F(CompileToOnnx, NamesTheFileThatItCannotWrite) {
  const auto model = compile(load("mlp.pt2"), {.output = Output::kOnnx});
  ASSERT_TRUE(model.ok());
  const Status saved = model->save(path("missing/mlp.onnx"));
  ASSERT_FALSE(saved.ok());
  EXPECT_THAT(saved.error().message(), HasSubstr("mlp.onnx"));
}

}  // namespace
}  // namespace slipway
