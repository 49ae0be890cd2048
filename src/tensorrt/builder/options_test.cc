#include "tensorrt/builder/options.h"

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

namespace slipway::tensorrt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(TensorRtOptions, AreTheLibrarysOwnUnlessGiven) {
  auto options = parse_options({});
  ASSERT_TRUE(options.ok());
  EXPECT_TRUE(options->targets.empty());
  EXPECT_FALSE(options->weight_streaming || options->weight_streaming_budget ||
               options->weight_streaming_total || options->workspace ||
               options->optimization_level);
  EXPECT_EQ(options->precision, Precision::kModel);
}

TEST(TensorRtOptions, AreRead) {
  auto options = parse_options({{"tensorrt_lib", "/opt/trt"},
                                {"target", "sm_80,sm_86"},
                                {"target", "sm_120"},
                                {"profile", "s77=1:8:64"},
                                {"profile", "s77=1:1:1"},
                                {"weight_streaming_total", "2GiB"},
                                {"cuda_graphs", "false"},
                                {"workspace", "512MB"},
                                {"optimization_level", "0"},
                                {"precision", "bf16"},
                                {"keep_fp32", "aten.linear"}});
  ASSERT_TRUE(options.ok()) << options.error().message();
  EXPECT_EQ(options->library, "/opt/trt");
  EXPECT_THAT(options->targets, ElementsAre("sm_80,sm_86", "sm_120"));
  ASSERT_EQ(options->profiles.at("s77").size(), 2u);
  EXPECT_EQ(options->profiles.at("s77")[0].opt, 8);
  EXPECT_EQ(options->profiles.at("s77")[1].opt, 1);
  EXPECT_EQ(options->weight_streaming_total, uint64_t{2} << 30);
  EXPECT_EQ(options->cuda_graphs, false);
  EXPECT_EQ(options->workspace, 512'000'000u);
  EXPECT_EQ(options->optimization_level, 0);
  EXPECT_EQ(options->precision, Precision::kBFloat16);
  EXPECT_THAT(options->keep_fp32, ElementsAre("aten.linear"));
  EXPECT_EQ(parse_options({{"precision", "fp16"}})->precision, Precision::kFloat16);
}

TEST(TensorRtOptions, EachOfTheTableIsRead) {
  for (const EngineOption& option : option_table()) {
    const bool takes_anything = option.name == std::string("tensorrt_lib") ||
                                option.name == std::string("target") ||
                                option.name == std::string("keep_fp32");
    const auto options = parse_options({{option.name, "?"}});
    if (takes_anything) continue;
    ASSERT_FALSE(options.ok()) << option.name;
    EXPECT_THAT(options.error().message(), HasSubstr("option '" + std::string(option.name) + "'"));
  }
}

TEST(TensorRtOptions, SayHowAProgramCallsEngines) {
  const auto newest = parse_options({});
  EXPECT_EQ(newest->calls.abi, "10");
  EXPECT_EQ(newest->calls.platform, "linux_x86_64");
  EXPECT_FALSE(newest->calls.is_placeholder);
  const auto given = parse_options(
      {{"torch_tensorrt_abi", "8"}, {"cross_compile", "true"}, {"platform", "windows_arm64"}});
  ASSERT_TRUE(given.ok()) << given.error().message();
  EXPECT_EQ(given->calls.abi, "8");
  EXPECT_EQ(given->calls.platform, "windows_arm64");
  EXPECT_TRUE(given->calls.is_placeholder);
}

TEST(TensorRtOptions, WeightStreamingIsOnOffOrUndecided) {
  EXPECT_EQ(parse_options({{"weight_streaming", "true"}})->weight_streaming, true);
  EXPECT_EQ(parse_options({{"weight_streaming", "false"}})->weight_streaming, false);
  EXPECT_TRUE(parse_options({{"weight_streaming_budget", "0"}})->streams_weights());
  EXPECT_EQ(parse_options({{"weight_streaming_budget", "0"}})->weight_streaming_budget, 0u);
  EXPECT_EQ(
      parse_options({{"weight_streaming_budget", "9223372036854775807"}})->weight_streaming_budget,
      uint64_t{9223372036854775807u});
}

TEST(TensorRtOptions, WrongOnesNameTheOption) {
  const std::pair<engine_build::OptionValues, const char*> cases[] = {
      {{{"weight_streaming_budget", "-1"}}, "option 'weight_streaming_budget'"},
      {{{"weight_streaming_budget", "9223372036854775808"}}, "below 2^63"},
      {{{"weight_streaming_total", "lots"}}, "option 'weight_streaming_total'"},
      {{{"workspace", "99999999999GB"}}, "option 'workspace'"},
      {{{"optimization_level", "6"}}, "from 0 to 5"},
      {{{"torch_tensorrt_abi", "11"}}, "option 'torch_tensorrt_abi': expected one of 7, 8, 9, 10"},
      {{{"platform", "amiga"}}, "expected one of linux_x86_64, linux_aarch64"},
      {{{"platform", "linux_aarch64"}}, "goes with option 'cross_compile'"},
      {{{"profile", "s77"}}, "SYMBOL=MIN:OPT:MAX"},
      {{{"profile", "=1:2:3"}}, "SYMBOL=MIN:OPT:MAX"},
      {{{"profile", "s77=1:2"}}, "SYMBOL=MIN:OPT:MAX"},
      {{{"profile", "s77=1:2:3:4"}}, "SYMBOL=MIN:OPT:MAX"},
      {{{"profile", "s77=-1:2:3"}}, "SYMBOL=MIN:OPT:MAX"},
      {{{"profile", "s77=3:2:4"}}, "SYMBOL=MIN:OPT:MAX"},
      {{{"profile", "s77=1:9:4"}}, "SYMBOL=MIN:OPT:MAX"},
      {{{"profile", "s77=1:2:99999999999999999999"}}, "SYMBOL=MIN:OPT:MAX"},
      {{{"keep_fp32", "aten.linear"}}, "option 'precision' fp16"},
      {{{"weight_streaming_budget", "1"}, {"weight_streaming_total", "1"}}, "exclude each other"},
      {{{"weight_streaming_total", "1"}, {"weight_streaming", "false"}}, "which is off"},
  };
  for (const auto& [values, message] : cases) {
    auto options = parse_options(values);
    ASSERT_FALSE(options.ok()) << message;
    EXPECT_EQ(options.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(options.error().message(), HasSubstr(message));
  }
}

}  // namespace
}  // namespace slipway::tensorrt
