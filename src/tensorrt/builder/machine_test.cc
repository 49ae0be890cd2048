#include "tensorrt/builder/machine.h"

#include <filesystem>
#include <vector>

#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "tensorrt/library/library.h"

namespace slipway::tensorrt {
namespace {

using testing::HasSubstr;

TEST(PlanCheck, SaysWhatIsMissing) {
  auto checked = check_plan({}, "", "/nowhere/libtensorrt_rtx.so.1");
  ASSERT_FALSE(checked.ok());
  EXPECT_EQ(checked.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(checked.error().message(), HasSubstr("/nowhere"));
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
