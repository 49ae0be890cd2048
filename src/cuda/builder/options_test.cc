#include "cuda/builder/options.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipway::cuda {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(OptionsTest, WithoutOptionsThreeKindsOfGpuAndPtxAreTargets) {
  const auto options = parse_options({});
  ASSERT_TRUE(options.ok());
  EXPECT_THAT(options->targets, ElementsAre("sm_80", "sm_90a", "sm_120", "compute_80"));
}

TEST(OptionsTest, ReadsTargets) {
  const auto options =
      parse_options({{"target", "sm_86,sm_100a,compute_80"}, {"nvrtc_lib", "/lib"}});
  ASSERT_TRUE(options.ok()) << options.error().message();
  EXPECT_THAT(options->targets, ElementsAre("sm_86", "sm_100a", "compute_80"));
  EXPECT_EQ(options->nvrtc, "/lib");
}

TEST(OptionsTest, ReadsPrecisions) {
  EXPECT_EQ(parse_options({})->precision, onnx::Precision::kModel);
  const auto options = parse_options({{"precision", "bf16"}, {"keep_fp32", "aten.mm"}});
  ASSERT_TRUE(options.ok()) << options.error().message();
  EXPECT_EQ(options->precision, onnx::Precision::kBFloat16);
  EXPECT_THAT(options->keep_fp32, ElementsAre("aten.mm"));
  EXPECT_EQ(parse_options({{"precision", "fp8"}}).error().message(),
            "option 'precision': expected model, fp16 or bf16, not 'fp8'");
  EXPECT_EQ(parse_options({{"keep_fp32", "aten.mm"}}).error().message(),
            "option 'keep_fp32' goes with option 'precision' fp16 or bf16");
}

TEST(OptionsTest, ReadsCandidates) {
  EXPECT_EQ(parse_options({})->candidates, 1U);
  EXPECT_EQ(parse_options({{"cuda_candidates", "16"}})->candidates, 16U);
  for (const char* text : {"0", "17", "-1", "4x", "many"}) {
    const auto options = parse_options({{"cuda_candidates", text}});
    ASSERT_FALSE(options.ok()) << text;
    EXPECT_EQ(options.error().message(),
              std::string("option 'cuda_candidates' ") + text + ": expected a number from 1 to 16");
  }
}

TEST(OptionsTest, ReadsLibraries) {
  EXPECT_FALSE(parse_options({})->with_cublaslt);
  EXPECT_FALSE(parse_options({})->with_cudnn);
  for (const std::string text : {"none", "cublaslt", "cudnn", "cublaslt,cudnn", "cudnn,cublaslt"}) {
    const auto options = parse_options({{"cuda_libraries", text}});
    ASSERT_TRUE(options.ok()) << options.error().message();
    EXPECT_EQ(options->with_cublaslt, text.find("cublaslt") != std::string::npos) << text;
    EXPECT_EQ(options->with_cudnn, text.find("cudnn") != std::string::npos) << text;
    EXPECT_EQ(libraries_text(*options), text == "none"             ? ""
                                        : text == "cudnn,cublaslt" ? "cublaslt,cudnn"
                                                                   : text);
  }
  for (const std::string text : {"", "cublas", "cudnn,", "none,cudnn", "cudnn cublaslt"}) {
    EXPECT_EQ(
        parse_options({{"cuda_libraries", text}}).error().message(),
        "option 'cuda_libraries' " + text + ": expected none, cublaslt, cudnn or cublaslt,cudnn");
  }
  EXPECT_EQ(parse_options({{"cuda_libraries", "cudnn,cudnn"}}).error().message(),
            "option 'cuda_libraries' cudnn,cudnn: cudnn is given twice");
}

TEST(OptionsTest, RefusesWhatIsNoTarget) {
  for (const char* text : {"", "sm_", "sm_9", "sm_9000", "90", "sm_90,", "compute_x0", "host",
                           "sm_a", "compute_90a"}) {
    const auto options = parse_options({{"target", text}});
    ASSERT_FALSE(options.ok()) << text;
    EXPECT_EQ(options.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(options.error().message(), HasSubstr("option 'target'"));
    EXPECT_THAT(options.error().message(), HasSubstr("sm_80,sm_90"));
  }
  EXPECT_EQ(parse_options({{"target", "sm_90,sm_75"}}).error().message(),
            "option 'target' sm_90,sm_75: kernels need compute capability 8.0 or later");
  const auto twice = parse_options({{"target", "sm_80,sm_80"}});
  ASSERT_FALSE(twice.ok());
  EXPECT_THAT(twice.error().message(), HasSubstr("sm_80 is given twice"));
}

}  // namespace
}  // namespace slipway::cuda
