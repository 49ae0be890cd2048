#include "runtime/platform.h"

#include <cstdlib>
#include <dlfcn.h>

#include <executorch/runtime/platform/assert.h>
#include <gtest/gtest.h>

#include "base/shared_library.h"
#include "engine_list/registry.h"
#include "runtime/backends.h"
#include "runtime/other_delegate_test.h"
#include "runtime/requirements.h"

namespace slipway::runtime {
namespace {

TEST(LogCapture, KeepsErrorsOfThisThreadInOrder) {
  initialize_platform();
  LogCapture outer;
  {
    LogCapture inner;
    ET_LOG(Info, "nothing to worry about");
    ET_LOG(Error, "first %d", 1);
    ET_LOG(Error, "second");
    EXPECT_EQ(inner.text(), "first 1\nsecond\n");
  }
  EXPECT_EQ(outer.text(), "");
  ET_LOG(Error, "third");
  EXPECT_EQ(outer.text(), "third\n");
}

TEST(LogCapture, TurnsAFailedCheckIntoAnException) {
  initialize_platform();
  LogCapture log;
  EXPECT_THROW(ET_CHECK_MSG(1 == 2, "one is not two"), Aborted);
  EXPECT_NE(log.text().find("one is not two"), std::string::npos) << log.text();
}

TEST(LogCapture, IsBounded) {
  initialize_platform();
  LogCapture log;
  for (int i = 0; i < 10'000; ++i) ET_LOG(Error, "the same message again and again");
  EXPECT_LE(log.text().size(), 8192u);
}

TEST(FirstReason, DropsWhatTheUserCannotUse) {
  EXPECT_EQ(first_reason("Check failed (a == b): Sizes do not match: 2 and 3\narg 0\n"),
            "Sizes do not match: 2 and 3");
  EXPECT_EQ(first_reason("Check failed (tensor_is_contiguous(a)): \nmore\n"),
            "Check failed (tensor_is_contiguous(a))");
  EXPECT_EQ(first_reason("Index 7 out of range\n"), "Index 7 out of range");
  EXPECT_EQ(first_reason("one\n... two\n... three\nfour\n... five\n"), "one two three");
  EXPECT_EQ(first_reason("one\n... two"), "one two");
  EXPECT_EQ(first_reason(""), "ExecuTorch gives no reason");
}

TEST(Translate, NamesTheErrorAndWhoCanActOnIt) {
  const Error memory =
      translate(et::Error::MemoryAllocationFailed, "forward of m.pte", "No room\n");
  EXPECT_EQ(memory.code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(memory.message(), "forward of m.pte: No room (ExecuTorch's MemoryAllocationFailed)");
  const Error engine = translate(et::Error::DelegateInvalidCompatibility, "forward of m.pte",
                                 "OpenVINO does not take the engine: std::bad_alloc\n");
  EXPECT_EQ(engine.code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(engine.message().find("forward of m.pte: there is not enough memory: OpenVINO"), 0U);
  EXPECT_EQ(translate(et::Error::InvalidProgram, "", "").code(), ErrorCode::kInvalidFile);
  EXPECT_EQ(translate(et::Error::OperatorMissing, "", "").code(), ErrorCode::kUnavailable);
}

TEST(Threads, AreSetAndCounted) {
  for (const uint32_t wrong : {0U, 1025U, UINT32_MAX}) {
    EXPECT_EQ(set_thread_count(wrong).error().code(), ErrorCode::kInvalidArgument) << wrong;
  }
  ASSERT_TRUE(set_thread_count(1).ok());
  EXPECT_EQ(thread_count(), 1u);
  ASSERT_TRUE(set_thread_count(2).ok());
  EXPECT_EQ(thread_count(), 2u);
  EXPECT_FALSE(set_thread_count(0).ok());
}

TEST(Backends, SayWhatIsMissingAndWhatToDo) {
  EXPECT_TRUE(require_backend("XnnpackBackend").ok());
  EXPECT_TRUE(require_backend("XnnpackBackend").ok());
  EXPECT_TRUE(require_backend("OpenvinoBackend").ok());
  // It needs neither TensorRT nor a GPU before it is given an engine.
  EXPECT_TRUE(require_backend("TensorRTBackend").ok());
  const Status unknown = require_backend("");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(unknown.error().message().find("load the shared library that registers it"),
            std::string::npos);
}

// Such as the one that ExecuTorch brings for OpenVINO. In a process of its own, because what is
// registered stays.
TEST(Backends, OfTheProgramComeBeforeOurs) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const engine::Description* engine = engine_list::find_engine("openvino");
        OtherDelegate other;
        bool as_wanted = et::register_backend({"OpenvinoBackend", &other}) == et::Error::Ok &&
                         require_backend("OpenvinoBackend").ok() &&
                         ::dlopen(engine->library, RTLD_NOLOAD | RTLD_NOW) == nullptr;
        // Nor does opening ours for its compiler take its place.
        as_wanted = as_wanted && open_library(engine->library, engine->remedy).ok() &&
                    et::get_backend_class("OpenvinoBackend") == &other;
        std::exit(as_wanted ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(Backends, OpenWhereTheirLibraryLies) {
  const auto missing = open_library("libslipway_nothing.so", "ask for it");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(missing.error().message().find("libslipway_nothing.so does not open ("),
            std::string::npos);
  EXPECT_NE(missing.error().message().find("): ask for it"), std::string::npos);
  EXPECT_FALSE(executorch_folder().empty());
  // Beside libexecutorch.so.
  EXPECT_TRUE(open_library("libexecutorch_backend_xnnpack.so", "").ok());
}

TEST(Kernels, AreRegistered) { EXPECT_GT(registered_kernels(), 200u); }

}  // namespace
}  // namespace slipway::runtime
