// Finding NVRTC, and what it compiles where it is here.
#include "cuda/compiler/nvrtc.h"

#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace slipway::cuda {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kKernel = R"(
extern "C" __global__ void twice(const float* x, float* y, long long n) {
  const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
  if (i < n) y[i] = 2 * expf(x[i]);
}
)";

// What is on this machine; tests that need it say so and pass without it.
const Nvrtc* here() {
  const auto nvrtc = Nvrtc::open();
  return nvrtc.ok() ? *nvrtc : nullptr;
}
#define REQUIRE_NVRTC()              \
  const Nvrtc* const nvrtc = here(); \
  if (nvrtc == nullptr) GTEST_SKIP() << Nvrtc::open().error().message()

TEST(Nvrtc, WhatIsNamedIsTakenOrIsAnError) {
  const TestFolder folder;
  const auto missing = Nvrtc::open(folder / "nothing");
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.error().message(), HasSubstr("does not exist"));
  const auto empty = Nvrtc::open(folder.path());
  ASSERT_FALSE(empty.ok());
  EXPECT_THAT(empty.error().message(), HasSubstr("libnvrtc.so.13"));
  std::ofstream(folder / "libnvrtc.so.13") << "no library";
  const char* const before = std::getenv(kNvrtcVariable);
  const std::optional<std::string> kept =
      before == nullptr ? std::nullopt : std::optional<std::string>(before);
  ::setenv(kNvrtcVariable, folder.path().c_str(), 1);
  const auto broken = Nvrtc::open();
  ::unsetenv(kNvrtcVariable);
  if (kept) ::setenv(kNvrtcVariable, kept->c_str(), 1);
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(broken.error().message(), HasSubstr("does not open"));
}

TEST(Nvrtc, ItsBuiltinsAreOpenedFromBesideIt) {
  REQUIRE_NVRTC();
  const std::string builtins = "libnvrtc-builtins.so." + nvrtc->version();
  EXPECT_NE(::dlopen(builtins.c_str(), RTLD_NOW | RTLD_NOLOAD), nullptr);
}

TEST(Nvrtc, AnotherLibraryIsNotNvrtc) {
  const auto other = Nvrtc::open("/lib/x86_64-linux-gnu/libm.so.6");
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(other.error().message(), HasSubstr("lacks nvrtc"));
}

TEST(Nvrtc, MakesMachineCodeAndPtxForWhatItKnows) {
  REQUIRE_NVRTC();
  ASSERT_FALSE(nvrtc->capabilities().empty());
  for (const int capability : {nvrtc->capabilities().front(), nvrtc->capabilities().back()}) {
    const auto code = nvrtc->compile(kKernel, "sm_" + std::to_string(capability));
    ASSERT_TRUE(code.ok()) << code.error().message();
    EXPECT_THAT(*code, StartsWith("\177ELF"));
    const auto again = nvrtc->compile(kKernel, "sm_" + std::to_string(capability));
    EXPECT_EQ(*code, *again) << "a compile is repeatable";
    const auto ptx = nvrtc->compile(kKernel, "compute_" + std::to_string(capability));
    ASSERT_TRUE(ptx.ok()) << ptx.error().message();
    EXPECT_THAT(*ptx, HasSubstr(".entry twice"));
  }
}

TEST(Nvrtc, OfSetUpCompilesForTheTargetsThatAreBuiltUnasked) {
  const std::string folder = SLIPWAY_TEST_DATA "/../../.deps/nvrtc";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "`make setup-cuda` has not been run";
  const auto nvrtc = Nvrtc::open(folder);
  ASSERT_TRUE(nvrtc.ok()) << nvrtc.error().message();
  EXPECT_EQ((*nvrtc)->version(), "13.0");
  for (const char* target : {"sm_80", "sm_90a", "sm_120", "compute_80"}) {
    const auto code = (*nvrtc)->compile(kKernel, target);
    EXPECT_TRUE(code.ok()) << code.error().message();
  }
}

TEST(Nvrtc, RefusesTargetsThatItDoesNotKnow) {
  REQUIRE_NVRTC();
  for (const char* target : {"sm_1", "sm_", "gpu", "", "compute_9999", "compute_90a", "sm_90\n"}) {
    const auto code = nvrtc->compile(kKernel, target);
    ASSERT_FALSE(code.ok()) << target;
    EXPECT_EQ(code.error().code(), ErrorCode::kUnsupported);
    EXPECT_THAT(code.error().message(), HasSubstr("it knows sm_"));
  }
}

TEST(Nvrtc, ShowsTheMessagesOfAWrongSource) {
  REQUIRE_NVRTC();
  const auto code = nvrtc->compile("__global__ void f() { nowhere(); }", "compute_90");
  ASSERT_FALSE(code.ok());
  EXPECT_THAT(code.error().message(), HasSubstr("nowhere"));
}

}  // namespace
}  // namespace slipway::cuda
