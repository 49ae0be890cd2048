#include "tensorrt/builder/machine.h"

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "cuda/driver/driver.h"
#include "cuda/driver/stand_in_driver_test.h"
#include "engine_build/compiler.h"
#include "tensorrt/library/library.h"

namespace slipway::tensorrt {

extern const engine_build::CompilerDescription kCompiler;

namespace {

using testing::HasSubstr;

TEST(PlanCheck, SaysWhatIsMissing) {
  auto checked = check_plan({}, "", "/nowhere/libtensorrt_rtx.so.1");
  ASSERT_FALSE(checked.ok());
  EXPECT_EQ(checked.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(checked.error().message(), HasSubstr("/nowhere"));
}

// Whatever is here.
TEST(PlanCheck, APlanOfAnotherPlatformIsForThat) {
  const engine_build::OptionValues nowhere = {{"tensorrt_lib", "/nowhere/libtensorrt_rtx.so.1"}};
  engine::EngineRecord record;
  for (const char* platform : {"windows_x86_64", "linux_aarch64"}) {
    record.options["platform"] = platform;
    EXPECT_EQ(kCompiler.check_machine({}, record, nowhere).error().message(),
              "it is for " + std::string(platform) + ", and this is linux_x86_64");
  }
  for (const char* platform : {"linux_x86_64", "unknown", ""}) {
    record.options["platform"] = platform;
    EXPECT_THAT(kCompiler.check_machine({}, record, nowhere).error().message(),
                HasSubstr("/nowhere"));
  }
}

// On the stand-ins for the library and the driver.
class MachineState : public testing::Test {
 protected:
  void SetUp() override { ::setenv(kLibraryVariable, SLIPWAY_TENSORRT_STAND_IN, 1); }
  void TearDown() override {
    driver_.capability = 86;
    ::unsetenv(cuda::kDriverVariable);
    ::unsetenv(kLibraryVariable);
  }
  static std::map<std::string, std::string> rows(const char* version) {
    ::setenv("SLIPWAY_STAND_IN_VERSION", version, 1);
    const auto rows = machine_state();
    return {rows.begin(), rows.end()};
  }
  cuda::StandInDriver& driver_ = cuda::use_stand_in_driver(SLIPWAY_TEST_DRIVERS);
};

TEST_F(MachineState, SaysWhatEachGpuRuns) {
  if (driver_.is_real) GTEST_SKIP() << "the GPUs are the stand-in's";
  auto state = rows("10701");
  EXPECT_EQ(state["gpu driver"], "CUDA 13.2");
  EXPECT_EQ(state["gpu cuda:1"],
            "stand-in 1, compute capability 8.6; runs engines of TensorRT-RTX 1.7.1 for sm_86");
  EXPECT_EQ(rows("110100")["gpu cuda:0"],
            "stand-in 0, compute capability 8.6; runs engines that TensorRT 11.1.0 built for it");
  driver_.capability = 90;
  EXPECT_THAT(rows("10701")["gpu cuda:0"],
              HasSubstr("9.0; runs no engines of TensorRT-RTX 1.7.1, whose targets are sm_75, "));
  ::setenv(kLibraryVariable, "/nowhere", 1);
  state = rows("10701");
  EXPECT_THAT(state["gpu cuda:0"], HasSubstr("9.0; runs no engines: TensorRT is not here"));
  EXPECT_THAT(state["engine tensorrt"], HasSubstr("/nowhere"));
}

TEST_F(MachineState, WithoutADriverSaysWhatToInstall) {
  ::setenv(cuda::kDriverVariable, "libslipway_no_driver.so", 1);
  const auto state = rows("10701");
  EXPECT_THAT(state.at("gpu driver"), HasSubstr("NVIDIA's driver is not here"));
  EXPECT_EQ(state.count("gpu cuda:0"), 0u);
}

class PlanCheckWithTensorRt : public testing::Test {
 protected:
  void SetUp() override {
    auto library = Library::open();
    if (!library.ok()) GTEST_SKIP() << library.error().message();
    version_ = (*library)->version().name();
    if ((*library)->version().family != Family::kRtx) GTEST_SKIP() << version_;
  }
  std::string version_;
};

TEST_F(PlanCheckWithTensorRt, TellsAnotherVersionFirst) {
  auto checked = check_plan({}, "TensorRT 9.9.9", "");
  ASSERT_FALSE(checked.ok());
  EXPECT_THAT(checked.error().message(), HasSubstr("built with TensorRT 9.9.9, but here is "));
}

TEST_F(PlanCheckWithTensorRt, TellsDamageFromAMachineThatCannotRunIt) {
  auto checked = check_plan({}, version_, "");
  ASSERT_FALSE(checked.ok());
  EXPECT_THAT(checked.error().message(), HasSubstr("cut short"));
  checked = check_plan(std::vector<std::byte>(4096), version_, "");
  ASSERT_FALSE(checked.ok());
  EXPECT_EQ(checked.error().code(), ErrorCode::kInvalidFile);
  EXPECT_THAT(checked.error().message(), HasSubstr("does not recognise"));
}

}  // namespace
}  // namespace slipway::tensorrt
