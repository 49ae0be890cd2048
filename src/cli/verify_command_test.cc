#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands.h"
#include "runtime/sum_backend_test.h"

namespace slipway::cli {
namespace {

// An engine of another version of its library may run all the same.
TEST(Verify, PrintsWarningsAndDoesNotFailForThem) {
  runtime::SumBackend::get().version = "2";
  const std::vector<const char*> argv = {"slipway", "verify",
                                         SLIPWAY_TEST_DATA "/runtime/engine.pte"};
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_tool(static_cast<int>(argv.size()), argv.data()), 0);
  const std::string text = testing::internal::GetCapturedStdout();
  runtime::SumBackend::get().version.clear();
  EXPECT_THAT(text,
              testing::HasSubstr("machine, forward      ok       every operator and backend"));
  EXPECT_THAT(text, testing::HasSubstr("environment, forward  warning  "));
  EXPECT_THAT(text, testing::HasSubstr("was built with sum 1, and here is 2"));
}

}  // namespace
}  // namespace slipway::cli
