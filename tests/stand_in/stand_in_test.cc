// The whole way of an engine that is built and run: options, refusals, targets, the cache, the
// check, and several engines in one program.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compiled_test.h"
#include "stand_in/delegate/machine.h"

namespace slipway::stand_in {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

const std::string kModel = "transformer_layer";  // of dynamic size, with two golden results

std::string error_of(const CompileOptions& options) {
  const auto bytes = compile_golden("mlp", options);
  return bytes.ok() ? "" : bytes.error().message();
}

TEST(StandIn, IsLastInTheListAndHasOptions) {
  EXPECT_EQ(engine_names().back(), "stand_in");
  EXPECT_EQ(engine_options("stand_in").size(), 4U);
}

// What is installed knows nothing of it.
TEST(StandIn, IsNoEngineOfTheTool) {
  const std::string output = testing::TempDir() + "stand_in_of_tool";
  const std::string command = std::string(SLIPWAY_TOOL) + " compile " + golden("mlp.pt2") + " -o " +
                              output + ".pte --engine stand_in > " + output + " 2>&1";
  EXPECT_NE(std::system(command.c_str()), 0);
  std::ifstream stream(output);
  const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  EXPECT_THAT(text, HasSubstr("there is no engine 'stand_in'"));
  std::filesystem::remove(output);
}

TEST(StandIn, TakesAWholeProgram) {
  CompileOptions options = with_engines({{"stand_in"}});
  options.require_full = true;
  options.check = EngineCheck::kFail;
  const auto bytes = compile_golden("mlp", options);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message();
  EXPECT_EQ(operators_of(*bytes)["stand_in"].size(), 3U);
  expect_golden_results("mlp", *bytes);
}

TEST(StandIn, TakesPartsOfAProgramOfAnySize) {
  const auto bytes = compile_golden(kModel, with_engines({{"stand_in"}}));
  ASSERT_TRUE(bytes.ok()) << bytes.error().message();
  auto operators = operators_of(*bytes);
  EXPECT_THAT(operators["stand_in"], Contains("aten.linear.default"));
  EXPECT_THAT(operators[""], Contains("aten.layer_norm.default"));
  expect_golden_results(kModel, *bytes, 2);
}

TEST(StandIn, OptionsAreItsOwn) {
  EXPECT_EQ(error_of(with_engines({{"openvino", {{"variant", "a"}}}})),
            "the engine openvino has no option 'variant'");
  EXPECT_EQ(error_of(with_engines({{"stand_in", {{"disable_rule", "abs-sinking"}}}})),
            "the engine stand_in has no option 'disable_rule'");
  EXPECT_EQ(error_of(with_engines({{"stand_in", {{"variant", "a"}, {"variant", "a"}}}})),
            "option 'variant': 'a' is given twice");
  for (const char* option : {"refuse", "fail", "wrong"}) {
    EXPECT_EQ(
        error_of(with_engines({{"stand_in", {{option, "aten.topk.default"}}}})),
        std::string("option '") + option + "': the stand-in has no operator aten.topk.default");
  }
}

TEST(StandIn, GivenTwiceOrUnknownOrUnavailable) {
  EXPECT_EQ(error_of(with_engines({{"stand_in"}, {"stand_in"}})),
            "the engine stand_in is given twice");
  EXPECT_THAT(error_of(with_engines({{"stand_in"}, {"warp"}})),
              HasSubstr("there is no engine 'warp'; there are"));
  const std::string missing = testing::TempDir() + "no_such_library.so";
  EXPECT_THAT(error_of(with_engines({{"tensorrt", {{"tensorrt_lib", missing}}}, {"stand_in"}})),
              HasSubstr(missing));
}

// A build refuses an operator, by its name or by failing: it stays on kernels, with a warning.
TEST(StandIn, WhatABuildRefusesStaysOnKernels) {
  for (const char* option : {"refuse", "fail"}) {
    CompileOptions options = with_engines({{"stand_in", {{option, "aten.relu.default"}}}});
    std::vector<std::string> warnings;
    options.on_warning = [&](const std::string& text) { warnings.push_back(text); };
    const auto bytes = compile_golden("mlp", options);
    ASSERT_TRUE(bytes.ok()) << bytes.error().message();
    EXPECT_THAT(warnings, testing::ElementsAre(HasSubstr("relu (aten.relu.default) stays outside")))
        << option;
    auto operators = operators_of(*bytes);
    EXPECT_THAT(operators[""], testing::ElementsAre("aten.relu.default")) << option;
    EXPECT_EQ(operators["stand_in"].size(), 2U);
    expect_golden_results("mlp", *bytes);
    options.require_full = true;
    const auto whole = compile_golden("mlp", options);
    ASSERT_FALSE(whole.ok());
    EXPECT_THAT(whole.error().message(), HasSubstr("aten.relu.default"));
  }
}

TEST(StandIn, TheNextEngineTakesWhatABuildRefuses) {
  CompileOptions options =
      with_engines({{"stand_in", {{"refuse", "aten.relu.default"}}}, {"openvino"}});
  options.require_full = true;
  const auto bytes = compile_golden("mlp", options);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message();
  auto operators = operators_of(*bytes);
  EXPECT_THAT(operators["openvino"], testing::ElementsAre("aten.relu.default"));
  EXPECT_EQ(operators["stand_in"].size(), 2U);
  expect_golden_results("mlp", *bytes);
  // The file says which engine did not take it, and why.
  const pte::File file = read_file(*bytes);
  for (const auto& engine : file.manifest()->methods.at(0).engines) {
    if (engine.record.engine != "openvino") continue;
    ASSERT_EQ(engine.passed_over.size(), 1U);
    EXPECT_EQ(engine.passed_over[0].reason, "stand_in: option 'refuse' names it");
  }
}

// The check finds the operator whose results are wrong, and the rest stays on the engine.
TEST(StandIn, WhatIsWrongIsFoundBeforeItIsWritten) {
  CompileOptions options = with_engines({{"stand_in", {{"wrong", "aten.linear.default"}}}});
  std::vector<std::string> warnings;
  options.on_warning = [&](const std::string& text) { warnings.push_back(text); };
  const auto bytes = compile_golden("mlp", options);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message();
  EXPECT_FALSE(warnings.empty());
  EXPECT_THAT(operators_of(*bytes)[""], Contains("aten.linear.default"));
  expect_golden_results("mlp", *bytes);
  options.check = EngineCheck::kFail;
  EXPECT_THAT(error_of(options), HasSubstr("option 'check'"));
}

TEST(StandIn, VariantsAreInTheFile) {
  const auto bytes = compile_golden(
      "mlp", with_engines({{"stand_in", {{"variant", "first"}, {"variant", "second"}}}}));
  ASSERT_TRUE(bytes.ok()) << bytes.error().message();
  const pte::File file = read_file(*bytes);
  const auto& engines = file.manifest()->methods.at(0).engines;
  ASSERT_EQ(engines.size(), 1U);
  EXPECT_EQ(engines[0].record.target, "first");
  ASSERT_EQ(engines[0].variants.size(), 1U);
  EXPECT_EQ(engines[0].variants[0].record.target, "second");
  EXPECT_GT(engines[0].header_size, 0U);
  expect_golden_results("mlp", *bytes);
}

TEST(StandIn, ABareEngineIsWrittenForOneTarget) {
  const auto program = Program::load(golden("mlp.pt2"));
  ASSERT_TRUE(program.ok());
  const auto bare = [&](const std::vector<EngineChoice>& engines) {
    CompileOptions options = with_engines(engines);
    options.output = Output::kEngine;
    return compile(*program, options);
  };
  const auto engine = bare({{"stand_in"}});
  ASSERT_TRUE(engine.ok()) << engine.error().message();
  const auto bytes = engine->to_memory();
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(bytes->size(), engine->size());
  const std::string path = testing::TempDir() + "stand_in.engine";
  ASSERT_TRUE(engine->save(path).ok());
  EXPECT_EQ(std::filesystem::file_size(path), engine->size());
  std::filesystem::remove(path);
  EXPECT_EQ(std::filesystem::exists(path + ".data"), false);
  const auto several = bare({{"stand_in", {{"variant", "a"}, {"variant", "b"}}}});
  ASSERT_FALSE(several.ok());
  EXPECT_THAT(several.error().message(), HasSubstr("one target"));
  for (const auto& engines :
       {std::vector<EngineChoice>(), std::vector<EngineChoice>{{"stand_in"}, {"openvino"}}}) {
    const auto none = bare(engines);
    ASSERT_FALSE(none.ok());
    EXPECT_EQ(none.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(none.error().message(), HasSubstr("one engine"));
  }
}

// Equal engines are taken from the cache, for each variant and option its own.
TEST(StandIn, EnginesAreCached) {
  const std::string folder = testing::TempDir() + "stand_in_cache";
  std::filesystem::remove_all(folder);
  const auto entries = [&](const EngineChoice& engine) {
    CompileOptions options = with_engines({engine});
    options.cache = folder;
    const auto bytes = compile_golden("mlp", options);
    EXPECT_TRUE(bytes.ok()) << bytes.error().message();
    if (bytes.ok()) expect_golden_results("mlp", *bytes);
    const auto files = std::filesystem::directory_iterator(folder);
    return std::distance(begin(files), end(files));
  };
  EXPECT_EQ(entries({"stand_in"}), 1);
  EXPECT_EQ(entries({"stand_in"}), 1);
  EXPECT_EQ(entries({"stand_in", {{"variant", "a"}}}), 2);
  EXPECT_EQ(entries({"stand_in", {{"variant", "a"}, {"variant", "b"}}}), 3);
  // A damaged entry is built anew, with a warning.
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::filesystem::resize_file(entry.path(), std::filesystem::file_size(entry.path()) - 1);
  }
  CompileOptions options = with_engines({{"stand_in"}});
  options.cache = folder;
  int warnings = 0;
  options.on_warning = [&](const std::string&) { ++warnings; };
  const auto bytes = compile_golden("mlp", options);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message();
  EXPECT_EQ(warnings, 1);
  expect_golden_results("mlp", *bytes);
  std::filesystem::remove_all(folder);
}

// What loading the program says where `here` is, and that it runs all the same.
std::vector<std::string> warnings_with(const std::vector<std::byte>& bytes, const Machine& here,
                                       Status* strict) {
  const Machine before = std::exchange(machine(), here);
  std::vector<std::string> warnings;
  LoadOptions options;
  options.on_warning = [&](const std::string& text) { warnings.push_back(text); };
  for (const bool same : {false, true}) {
    options.require_same_environment = same;
    auto module = Module::load(bytes, "mlp", options);
    EXPECT_TRUE(module.ok()) << module.error().message();
    if (!module.ok()) break;
    const Status loaded = module->method()->prepare();
    if (same) {
      *strict = loaded;
    } else {
      EXPECT_TRUE(loaded.ok()) << loaded.error().message();
    }
  }
  machine() = before;
  return warnings;
}

// An engine that is loaded with another library or on a lesser device says so, and may be refused.
TEST(StandIn, ComparesTheLibraryAndTheDeviceAtEveryLoad) {
  const Machine before = std::exchange(machine(), {"1", "float32 dot"});
  const auto bytes = compile_golden("mlp", with_engines({{"stand_in"}}));
  machine() = before;
  ASSERT_TRUE(bytes.ok()) << bytes.error().message();
  const std::pair<Machine, const char*> lesser[] = {
      {{"2", "float32 dot"}, "built with stand_in 1, and here is 2: "},
      {{"1", "float32"},
       "built with stand_in for CPU with float32 dot, and here is CPU with float32: "},
      {{"1", "float32 dots"}, "and here is CPU with float32 dots: "},
      {{"2", "dot"}, "built with stand_in 1 for CPU with float32 dot, and here is 2 on CPU with "}};
  for (const auto& [here, said] : lesser) {
    Status strict;
    const auto warnings = warnings_with(*bytes, here, &strict);
    EXPECT_THAT(warnings, testing::ElementsAre(HasSubstr(said)));
    ASSERT_FALSE(strict.ok()) << said;
    EXPECT_EQ(strict.error().code(), ErrorCode::kUnavailable);
    EXPECT_EQ(strict.error().message(), warnings[0]);
  }
  // What has more, or says nothing, is as good.
  for (const Machine& here :
       {Machine{"1", "float32 dot"}, Machine{"1", "bfloat16 dot float32"}, Machine{"", ""}}) {
    Status strict;
    EXPECT_THAT(warnings_with(*bytes, here, &strict), testing::ElementsAre()) << here.capabilities;
    EXPECT_TRUE(strict.ok()) << strict.error().message();
  }
  expect_golden_results("mlp", *bytes);
}

// One program on two engines and kernels.
TEST(SeveralEngines, RunInOneProgram) {
  for (const bool stand_in_first : {true, false}) {
    CompileOptions options = with_engines({{"stand_in"}, {"openvino"}});
    if (!stand_in_first) std::reverse(options.engines.begin(), options.engines.end());
    options.exclude_ops = {"aten.layer_norm", "openvino:aten.linear"};
    const auto bytes = compile_golden(kModel, options);
    ASSERT_TRUE(bytes.ok()) << bytes.error().message();
    auto operators = operators_of(*bytes);
    EXPECT_THAT(operators["stand_in"], Contains("aten.linear.default"));
    EXPECT_THAT(operators["openvino"], Contains("aten.scaled_dot_product_attention.default"));
    EXPECT_THAT(operators["openvino"], Not(Contains("aten.linear.default")));
    EXPECT_THAT(operators[""], testing::Each("aten.layer_norm.default"));
    EXPECT_EQ(operators[""].size(), 2U);
    EXPECT_EQ(has(operators["openvino"], "aten.relu.default"), !stand_in_first);
    expect_golden_results(kModel, *bytes, 2);
  }
}

TEST(SeveralEngines, ThreeRunBesideKernels) {
  CompileOptions options = with_engines({{"stand_in"}, {"openvino"}, {"stand_in_twin"}});
  options.exclude_ops = {"aten.layer_norm", "openvino:aten.linear", "stand_in:aten.linear"};
  const auto bytes = compile_golden(kModel, options);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message();
  auto operators = operators_of(*bytes);
  EXPECT_THAT(operators["stand_in"], Contains("aten.relu.default"));
  EXPECT_THAT(operators["openvino"], Contains("aten.scaled_dot_product_attention.default"));
  EXPECT_THAT(operators["stand_in_twin"], testing::Each("aten.linear.default"));
  EXPECT_FALSE(operators["stand_in_twin"].empty());
  EXPECT_THAT(operators[""], testing::Each("aten.layer_norm.default"));
  EXPECT_FALSE(operators[""].empty());
  expect_golden_results(kModel, *bytes, 2);
}

// With TensorRT, whose engines are not run here, as the third: each has nodes of its own.
TEST(SeveralEngines, ThreeAreInOneFile) {
  CompileOptions options = with_engines({{"stand_in"}, {"openvino"}, {"tensorrt"}});
  options.exclude_ops = {"aten.layer_norm", "openvino:aten.scaled_dot_product_attention"};
  options.bounds = {{"src.0", 16}};
  const auto bytes = compile_golden(kModel, options);
  if (!bytes.ok() && bytes.error().code() == ErrorCode::kUnavailable) {
    GTEST_SKIP() << bytes.error().message();
  }
  ASSERT_TRUE(bytes.ok()) << bytes.error().message();
  auto operators = operators_of(*bytes);
  EXPECT_THAT(operators["stand_in"], Contains("aten.linear.default"));
  EXPECT_THAT(operators["openvino"], Contains("aten.select.int"));
  EXPECT_THAT(operators["tensorrt"],
              testing::ElementsAre("aten.scaled_dot_product_attention.default"));
  EXPECT_THAT(operators[""], testing::Each("aten.layer_norm.default"));
  // What can't be run is told before anything runs.
  auto module = Module::load(std::vector(*bytes), "three engines");
  ASSERT_TRUE(module.ok()) << module.error().message();
  const Status loaded = module->method()->prepare();
  ASSERT_FALSE(loaded.ok());
  EXPECT_THAT(loaded.error().message(), HasSubstr("TensorRT"));
}

}  // namespace
}  // namespace slipway::stand_in
