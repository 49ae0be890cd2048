#include "slipway/inspect.h"

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/mapped_file.h"
#include "base/piece_writer.h"
#include "base/test_folder.h"

namespace slipway {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using Counts = std::map<std::string, size_t>;
using Options = std::map<std::string, std::string>;

std::string data(const std::string& name) { return std::string(SLIPWAY_TEST_DATA) + "/" + name; }

FileInfo inspected(const std::string& path) {
  auto file = inspect(path);
  EXPECT_TRUE(file.ok()) << file.error().message();
  return *file;
}

TEST(Inspect, AProgramIsData) {
  const FileInfo file = inspected(data("runtime/engine.pte"));
  EXPECT_EQ(file.kind(), FileKind::kProgram);
  ASSERT_EQ(file.methods().size(), 1u);
  const MethodInfo& method = file.methods()[0];
  EXPECT_EQ(method.name, "forward");
  ASSERT_EQ(method.inputs.size(), 1u);
  EXPECT_EQ(method.inputs[0].type_text(), "float32[s0, 2]");
  EXPECT_EQ(method.input_tree.leaf_count(), 1);
  EXPECT_EQ(method.output_tree.leaf_count(), static_cast<int64_t>(method.outputs.size()));
  EXPECT_EQ(method.operators, (Counts{{"aten::relu.out", 1}}));
  ASSERT_EQ(method.engines.size(), 1u);
  const EngineInfo& engine = method.engines[0];
  EXPECT_EQ(engine.engine, "sum");
  EXPECT_EQ(engine.backend, "SumBackend");
  EXPECT_EQ(engine.bytes, 3u);
  EXPECT_EQ(engine.library_version, "1");
  EXPECT_EQ(engine.device, "CPU");
  EXPECT_EQ(engine.options, (Options{{"precision", "f32"}}));
  EXPECT_EQ(engine.nodes.size(), 5u);
  EXPECT_EQ(engine.sha256, "09f5ffef28309853265c4a98d0e56e1be522b6b402d8193594fd05103064fc6a");
  EXPECT_TRUE(engine.target.empty());
  ASSERT_EQ(method.outside.size(), 3u);
  EXPECT_EQ(method.outside[0].name, "cos");
  EXPECT_EQ(method.outside[0].op, "aten.cos.default");
  EXPECT_EQ(method.outside[0].reason, "excluded by --exclude-op");
}

TEST(Inspect, EnginesForOtherMachinesAndStateAreNamed) {
  const FileInfo file = inspected(data("runtime/tensorrt.pte"));
  const EngineInfo& engine = file.methods().at(0).engines.at(0);
  EXPECT_EQ(engine.target, "sm_80,sm_86");
  EXPECT_EQ(engine.other_targets, std::vector<std::string>{"sm_120"});

  const FileInfo counter = inspected(data("runtime/counter.pte"));
  EXPECT_FALSE(counter.methods().at(0).state.empty());
  EXPECT_TRUE(counter.methods().at(0).engines.empty());
}

TEST(Inspect, JsonAndTextHaveWhatTheDataHas) {
  const FileInfo file = inspected(data("runtime/engine.pte"));
  const json object = json::parse(file.to_json());
  EXPECT_EQ(object["kind"], "pte");
  EXPECT_EQ(object["methods"][0]["engines"][0]["sha256"], file.methods()[0].engines[0].sha256);
  EXPECT_EQ(object["methods"][0]["planned_bytes"], file.methods()[0].planned_bytes);
  const std::string text = file.to_text();
  EXPECT_TRUE(text.starts_with(data("runtime/engine.pte") + ": ExecuTorch program"));
  EXPECT_EQ(text.find("instructions:\n"), std::string::npos);
  EXPECT_THAT(file.to_text({.graph = true}), HasSubstr("instructions:\n"));
}

TEST(Inspect, AnArchiveHasJsonAndTextAndNoMethods) {
  const FileInfo file = inspected(data("golden/mlp.pt2"));
  EXPECT_EQ(file.kind(), FileKind::kArchive);
  EXPECT_TRUE(file.methods().empty());
  EXPECT_EQ(json::parse(file.to_json())["kind"], "pt2");
  EXPECT_THAT(file.to_text(), HasSubstr("weights: "));
  EXPECT_GT(file.to_text({.graph = true}).size(), file.to_text().size());
}

TEST(Inspect, AnArchiveShowsTheEnginesThatItCameWith) {
  const FileInfo file = inspected(data("engines/partial.pt2"));
  const json engine = json::parse(file.to_json())["engines"][0];
  EXPECT_EQ(engine["engine"], "tensorrt");
  EXPECT_EQ(engine["device"], "NVIDIA RTX A6000");
  EXPECT_THAT(file.to_text(), HasSubstr("engines:\n  0  tensorrt for NVIDIA RTX A6000, "));
  EXPECT_EQ(engine["options"], (json{{"platform", "linux_x86_64"}, {"torch_tensorrt_abi", "10"}}));
  EXPECT_THAT(file.to_text(), HasSubstr("\n     option platform=linux_x86_64\n"));
}

// One that can't be read, or that this machine does not run, says so, and the others are there.
TEST(Inspect, EachEngineOfAnArchiveIsShownByItself) {
  const FileInfo file = inspected(data("engines/records.pt2"));
  const json engines = json::parse(file.to_json())["engines"];
  ASSERT_EQ(engines.size(), 3U);
  EXPECT_EQ(engines[0]["library_version"], "TensorRT 10.0.0");
  EXPECT_THAT(engines[0]["warning"], HasSubstr("was made by slipway 0.0.1, and this is slipway "));
  EXPECT_FALSE(engines[0].contains("not_here"));
  EXPECT_THAT(engines[1]["not_here"], HasSubstr("for windows_x86_64, and this is linux_x86_64"));
  EXPECT_EQ(engines[1]["bytes"], 97);
  EXPECT_THAT(engines[2]["error"], HasSubstr("it is of Torch-TensorRT's ABI '11'"));
  EXPECT_FALSE(engines[2].contains("bytes"));
  const std::string text = file.to_text();
  EXPECT_THAT(text, HasSubstr("\n  0  tensorrt for NVIDIA RTX A6000 (sm_86), built by TensorRT "));
  EXPECT_THAT(text, HasSubstr("was made by slipway 0.0.1, and this is slipway "));
  EXPECT_THAT(text, HasSubstr("\n     does not run here: its engine is for windows_x86_64, "));
  EXPECT_THAT(text, HasSubstr("\n  2  no_op_placeholder_for_execute_engine_2 (tensorrt.no_op_"));
  EXPECT_THAT(text, HasSubstr("it is of Torch-TensorRT's ABI '11'"));
}

TEST(Inspect, ABareEngineIsNamed) {
  const TestFolder folder;
  const std::string path = folder / "x.bin";
  ASSERT_TRUE(write_file(path, std::string("ftrt and more")).ok());
  const FileInfo file = inspected(path);
  EXPECT_EQ(file.kind(), FileKind::kEngine);
  EXPECT_TRUE(file.methods().empty());
  EXPECT_EQ(json::parse(file.to_json())["size"], 13);
  EXPECT_TRUE(file.to_text().starts_with(path + ": bare TensorRT plan, 13 bytes\n  sha256 "));
}

TEST(Inspect, OtherFilesAreErrors) {
  const TestFolder folder;
  const std::string path = folder / "model.pte";
  const auto error_of = [&](const std::string& content) {
    EXPECT_TRUE(write_file(path, content).ok());
    const auto file = inspect(path);
    EXPECT_FALSE(file.ok());
    return file.ok() ? Error(ErrorCode::kInternal, "") : file.error();
  };
  EXPECT_EQ(error_of("hello there").code(), ErrorCode::kInvalidFile);
  EXPECT_THAT(error_of("hello there").message(), HasSubstr("neither an archive"));
  EXPECT_THAT(error_of("").message(), HasSubstr("is empty"));
  // What begins as a .pte does is held to be one.
  EXPECT_EQ(error_of("....ET12 and no more").code(), ErrorCode::kInvalidFile);
  const auto missing = inspect(folder / "missing.pte");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
}

TEST(Inspect, OperatorsThatCannotBeCheckedNeedTrust) {
  const auto mapped = MappedFile::open(data("pte/mlp.pte"));
  ASSERT_TRUE(mapped.ok());
  const auto bytes = (*mapped)->bytes();
  std::string program(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const size_t at = program.find("aten::addmm");
  ASSERT_NE(at, std::string::npos);
  program.replace(at, 4, "mine");
  const TestFolder folder;
  const std::string path = folder / "mine.pte";
  ASSERT_TRUE(write_file(path, program).ok());
  const auto refused = inspect(path);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().message(), HasSubstr("mine::addmm"));
  const auto trusted = inspect(path, {.trust = true});
  ASSERT_TRUE(trusted.ok()) << trusted.error().message();
  EXPECT_TRUE(trusted->methods().at(0).operators.contains("mine::addmm.out"));
}

}  // namespace
}  // namespace slipway
