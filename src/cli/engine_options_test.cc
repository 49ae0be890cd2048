// Each option of engines, to its effect on the file.
#include "cli/engine_options.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "base/mapped_file.h"
#include "base/test_folder.h"
#include "cli/commands.h"
#include "pte/reader/reader.h"
#include "slipway/inspect.h"

namespace slipway::cli {
namespace {

using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

class EngineOptionsTest : public testing::Test {
 protected:
  void SetUp() override { ::setenv("XDG_CACHE_HOME", path("cache").c_str(), 1); }

  std::string path(const std::string& name) const { return folder_ / name; }

  // Compiles linear, relu, linear; gives what the command says on stderr where it fails.
  std::string compile(std::vector<std::string> options, const std::string& output = "model.pte",
                      const std::string& model = "mlp.pt2") {
    std::vector<std::string> arguments = {"slipway", "compile",
                                          std::string(SLIPWAY_TEST_DATA) + "/golden/" + model, "-o",
                                          path(output)};
    arguments.insert(arguments.end(), options.begin(), options.end());
    std::vector<const char*> argv;
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = run_tool(static_cast<int>(argv.size()), argv.data());
    out_ = testing::internal::GetCapturedStdout();
    const std::string err = testing::internal::GetCapturedStderr();
    return code == 0 ? "" : err;
  }

  engine::ManifestMethod method() const {
    auto mapped = MappedFile::open(path("model.pte"));
    EXPECT_TRUE(mapped.ok());
    auto file = pte::File::read({(*mapped)->bytes(), *mapped}, "model.pte", {});
    EXPECT_TRUE(file.ok()) << file.error().message();
    return file->manifest()->methods.front();
  }

  TestFolder folder_;
  std::string out_;
};

TEST_F(EngineOptionsTest, OpenVinoIsTheDefaultAndNamedFirst) {
  ASSERT_EQ(compile({}), "");
  EXPECT_TRUE(out_.starts_with("engine: openvino\n")) << out_;
  ASSERT_EQ(method().engines.size(), 1u);
  EXPECT_EQ(method().engines[0].record.engine, "openvino");
  EXPECT_TRUE(method().outside.empty());
}

TEST_F(EngineOptionsTest, NoneLeavesEverythingToKernels) {
  ASSERT_EQ(compile({"--engine", "none"}), "");
  EXPECT_TRUE(out_.starts_with("engine: none\n")) << out_;
  EXPECT_TRUE(method().engines.empty());
}

TEST_F(EngineOptionsTest, ExcludedOperatorsAndNodesStayOnKernels) {
  for (const std::vector<std::string>& options : std::vector<std::vector<std::string>>{
           {"--exclude-op", "aten.relu"}, {"--exclude-node", "relu"}}) {
    ASSERT_EQ(compile(options), "");
    EXPECT_EQ(method().engines.size(), 2u);
    ASSERT_EQ(method().outside.size(), 1u);
    EXPECT_EQ(method().outside[0].op, "aten.relu.default");
    EXPECT_THAT(method().outside[0].reason,
                HasSubstr("excluded by its " +
                          std::string(options[0] == "--exclude-op" ? "operator, " : "name, ") +
                          options[1]));
  }
  EXPECT_THAT(compile({"--exclude-op", "aten.rellu"}), HasSubstr("aten.relu"));
}

TEST_F(EngineOptionsTest, SmallGroupsStayOnKernels) {
  ASSERT_EQ(compile({"--exclude-op", "aten.relu", "--min-partition-size", "2"}), "");
  EXPECT_TRUE(method().engines.empty());
  EXPECT_EQ(method().outside.size(), 3u);
  EXPECT_THAT(compile({"--min-partition-size", "0"}),
              HasSubstr("Value 0 not in range 1 to 4294967296"));
}

TEST_F(EngineOptionsTest, DisabledRulesAreLeftOff) {
  const std::string scattering = "../workarounds/scatter-nan.training.pt2";
  ASSERT_EQ(compile({}, "model.pte", scattering), "");
  EXPECT_FALSE(method().outside.empty());
  ASSERT_EQ(compile({"--disable-rule", "scatter-nan"}, "model.pte", scattering), "");
  EXPECT_TRUE(method().outside.empty());
  EXPECT_THAT(compile({"--disable-rule", "scatter"}), HasSubstr("scatter-nan"));
}

TEST_F(EngineOptionsTest, RequireFullFailsAndWritesNothing) {
  ASSERT_EQ(compile({"--require-full"}), "");
  fs::remove(path("model.pte"));
  const std::string error = compile({"--require-full", "--exclude-op", "aten.relu"});
  EXPECT_THAT(error, HasSubstr("relu (aten.relu.default): "));
  EXPECT_FALSE(fs::exists(path("model.pte")));
}

// Two outputs are views of one value, and an input is an output.
TEST_F(EngineOptionsTest, RequireFullLeavesCopiesAlone) {
  ASSERT_EQ(compile({"--require-full"}, "model.pte", "alias_strides.pt2"), "");
  const auto info = inspect(path("model.pte"));
  ASSERT_TRUE(info.ok()) << info.error().message();
  for (const auto& [name, count] : info->methods().at(0).operators) {
    EXPECT_EQ(name, "aten::alias_copy.out");
  }
  EXPECT_FALSE(info->methods().at(0).operators.empty());
}

TEST_F(EngineOptionsTest, OptionsOfEnginesNeedOne) {
  const std::vector<std::vector<std::string>> options = {{"--require-full"},
                                                         {"--check", "fail"},
                                                         {"--exclude-op", "aten.relu"},
                                                         {"--exclude-node", "relu"},
                                                         {"--min-partition-size", "2"},
                                                         {"--allow-reduced-precision"},
                                                         {"--dump-partitions", path("dumped")}};
  for (std::vector<std::string> arguments : options) {
    const std::string message = arguments[0] + " has no effect on a .pte file without engines";
    arguments.insert(arguments.end(), {"--engine", "none"});
    EXPECT_THAT(compile(arguments), HasSubstr(message));
  }
  for (const char* step : {"prepare for engines", "build engines"}) {
    EXPECT_THAT(compile({"--print-after", step, "--engine", "none"}),
                HasSubstr("without engines there is no step"));
  }
}

// The program counts its calls in an int64, which OpenVINO would keep in 32 bits.
TEST_F(EngineOptionsTest, ReducedPrecisionTakesWhatIsNotExact) {
  ASSERT_EQ(compile({}, "model.pte", "mutated_buffer.pt2"), "");
  EXPECT_FALSE(method().outside.empty());
  ASSERT_EQ(compile({"--allow-reduced-precision"}, "model.pte", "mutated_buffer.pt2"), "");
  EXPECT_TRUE(method().outside.empty());
}

TEST_F(EngineOptionsTest, EnginesAreCachedWhereTheUserSays) {
  ASSERT_EQ(compile({"--no-cache"}), "");
  EXPECT_FALSE(fs::exists(path("cache")));
  ASSERT_EQ(compile({"--cache", path("mine")}), "");
  EXPECT_FALSE(fs::exists(path("cache")));
  EXPECT_FALSE(fs::is_empty(path("mine")));
  ASSERT_EQ(compile({}), "");
  EXPECT_FALSE(fs::is_empty(path("cache/slipway/engines")));
}

// Without the engine's library: the model is written as the engine would be given it.
TEST_F(EngineOptionsTest, ThoseOfTheModelAreForOnnxToo) {
  const auto model = [this](const std::vector<std::string>& options) {
    EXPECT_EQ(compile(options, "model.onnx"), "");
    auto mapped = MappedFile::open(path("model.onnx"));
    EXPECT_TRUE(mapped.ok());
    const auto bytes = (*mapped)->bytes();
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  const std::string plain = model({});
  EXPECT_EQ(model({"--engine", "none"}), plain);
  EXPECT_THAT(model({"--engine", "openvino"}), HasSubstr("Relu"));
  const std::vector<std::string> half = {"--engine", "tensorrt", "--precision", "fp16"};
  EXPECT_THAT(model(half), HasSubstr("relu_fp16"));
  std::vector<std::string> kept = half;
  kept.insert(kept.end(), {"--keep-fp32", "aten.relu", "--keep-fp32", "aten.linear"});
  EXPECT_THAT(model(kept), Not(HasSubstr("_fp16")));

  const std::string no_effect = " has no effect on an .onnx file";
  EXPECT_THAT(compile({"--no-cache"}, "model.onnx"), HasSubstr("--no-cache" + no_effect));
  EXPECT_THAT(compile({"--engine", "tensorrt", "--target", "sm_86"}, "model.onnx"),
              HasSubstr("--target" + no_effect));
  EXPECT_THAT(compile({"--precision", "fp16"}, "model.onnx"), HasSubstr("--engine tensorrt"));
}

TEST_F(EngineOptionsTest, AProgramCanBeLookedAtAfterAStep) {
  ASSERT_EQ(compile({"--print-after", "functionalize", "--print-after", "build engines"}), "");
  EXPECT_THAT(out_, HasSubstr("# after functionalize\n"));
  EXPECT_THAT(out_, HasSubstr("aten.linear.default"));
  const size_t built = out_.find("# after build engines\n");
  ASSERT_NE(built, std::string::npos);
  EXPECT_NE(out_.find("slipway.call_engine", built), std::string::npos);
  EXPECT_EQ(out_.find("aten.linear.default", built), std::string::npos);
  EXPECT_THAT(compile({"--print-after", "lunch"}),
              HasSubstr("--print-after: there is no step 'lunch'; there are inline regions, "));
}

TEST_F(EngineOptionsTest, StepsAreTimed) {
  ASSERT_EQ(compile({"--time-steps"}), "");
  for (const char* step :
       {"ms ", "functionalize", "build engine 1 of 1 (3 nodes)", "plan memory"}) {
    EXPECT_THAT(out_, HasSubstr(step));
  }
}

TEST_F(EngineOptionsTest, PartitionsAreDumpedAsTheirBuildersGetThem) {
  ASSERT_EQ(compile({"--dump-partitions", path("parts"), "--exclude-op", "aten.relu"}), "");
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(path("parts"))) {
    names.insert(entry.path().filename());
    EXPECT_GT(fs::file_size(entry.path()), 100u);
  }
  EXPECT_EQ(names, (std::set<std::string>{"000.openvino.onnx", "001.openvino.onnx"}));

  // Of the next compile, and what the user has there.
  std::ofstream(path("parts/mine.onnx")) << "x";
  ASSERT_EQ(compile({"--dump-partitions", path("parts")}), "");
  EXPECT_TRUE(fs::exists(path("parts/000.openvino.onnx")));
  EXPECT_FALSE(fs::exists(path("parts/001.openvino.onnx")));
  EXPECT_TRUE(fs::exists(path("parts/mine.onnx")));
  EXPECT_THAT(compile({"--dump-partitions", path("model.pte") + "/x"}),
              HasSubstr("--dump-partitions: "));
  EXPECT_THAT(compile({"--dump-partitions", path("parts")}, "model.onnx"),
              HasSubstr("--dump-partitions has no effect on an ONNX model"));
}

}  // namespace
}  // namespace slipway::cli
