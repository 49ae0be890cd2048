#include "cli/tensorrt_options.h"

#include <algorithm>

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

namespace slipway::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<TensorRtOptions> parse(std::vector<std::string> arguments) {
  CLI::App app;
  TensorRtCommandOptions options;
  options.add_to(app);
  const bool is_given = !arguments.empty();
  std::reverse(arguments.begin(), arguments.end());
  app.parse(arguments);
  EXPECT_EQ(options.is_set(), is_given);
  return options.parse();
}

TEST(TensorRtOptions, AreTheLibrarysOwnUnlessGiven) {
  auto options = parse({});
  ASSERT_TRUE(options.ok());
  EXPECT_TRUE(options->targets.empty());
  EXPECT_FALSE(options->weight_streaming || options->weight_streaming_budget ||
               options->weight_streaming_total || options->workspace ||
               options->optimization_level);
  EXPECT_EQ(options->precision, Precision::kModel);
}

TEST(TensorRtOptions, AreRead) {
  auto options =
      parse({"--tensorrt-lib", "/opt/trt", "--target", "sm_80,sm_86", "--target", "sm_120",
             "--profile", "s77=1:8:64", "--weight-streaming-total", "2GiB", "--workspace", "512MB",
             "--optimization-level", "0", "--precision", "bf16", "--keep-fp32", "aten.linear"});
  ASSERT_TRUE(options.ok()) << options.error().message();
  EXPECT_EQ(options->library, "/opt/trt");
  EXPECT_THAT(options->targets, ElementsAre("sm_80,sm_86", "sm_120"));
  EXPECT_EQ(options->profiles.at("s77").opt, 8);
  EXPECT_EQ(options->weight_streaming_total, uint64_t{2} << 30);
  EXPECT_EQ(options->workspace, 512'000'000u);
  EXPECT_EQ(options->optimization_level, 0);
  EXPECT_EQ(options->precision, Precision::kBFloat16);
  EXPECT_THAT(options->keep_fp32, ElementsAre("aten.linear"));
}

TEST(TensorRtOptions, WeightStreamingIsOnOffOrUndecided) {
  EXPECT_EQ(parse({"--weight-streaming"})->weight_streaming, true);
  EXPECT_EQ(parse({"--no-weight-streaming"})->weight_streaming, false);
  EXPECT_EQ(parse({"--weight-streaming-budget", "0"})->weight_streaming_budget, 0u);
  EXPECT_EQ(parse({"--weight-streaming-budget", "9223372036854775807"})->weight_streaming_budget,
            uint64_t{9223372036854775807u});
}

TEST(TensorRtOptions, WrongOnesNameTheOption) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"--weight-streaming-budget", "-1"}, "--weight-streaming-budget"},
      {{"--weight-streaming-budget", "9223372036854775808"}, "below 2^63"},
      {{"--weight-streaming-total", "lots"}, "--weight-streaming-total"},
      {{"--workspace", "99999999999GB"}, "--workspace"},
      {{"--profile", "s77"}, "SYMBOL=MIN:OPT:MAX"},
      {{"--profile", "=1:2:3"}, "SYMBOL=MIN:OPT:MAX"},
      {{"--profile", "s77=1:2"}, "SYMBOL=MIN:OPT:MAX"},
      {{"--profile", "s77=1:2:3:4"}, "SYMBOL=MIN:OPT:MAX"},
      {{"--profile", "s77=-1:2:3"}, "SYMBOL=MIN:OPT:MAX"},
      {{"--profile", "s77=3:2:4"}, "SYMBOL=MIN:OPT:MAX"},
      {{"--profile", "s77=1:9:4"}, "SYMBOL=MIN:OPT:MAX"},
      {{"--profile", "s77=1:2:99999999999999999999"}, "SYMBOL=MIN:OPT:MAX"},
      {{"--profile", "s77=1:2:3", "--profile", "s77=1:2:3"}, "a profile already"},
      {{"--keep-fp32", "aten.linear"}, "--precision fp16"},
  };
  for (const auto& [arguments, message] : cases) {
    auto options = parse(arguments);
    ASSERT_FALSE(options.ok()) << arguments.back();
    EXPECT_THAT(options.error().message(), HasSubstr(message));
  }
}

}  // namespace
}  // namespace slipway::cli
