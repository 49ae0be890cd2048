// What delegates share, with an engine that does nothing.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <dlfcn.h>
#include <memory>
#include <new>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delegate/arguments.h"
#include "delegate/backend.h"
#include "delegate/execution_test.h"
#include "delegate/log.h"
#include "delegate/registration.h"
#include "runtime/platform.h"

namespace slipway::delegate {
namespace {

namespace et = executorch::runtime;
namespace aten = executorch::aten;
using aten::ScalarType;
using testing::HasSubstr;

using Value = TestTensor;

// With ExecuTorch's log.
class ArgumentsTest : public testing::Test {
 protected:
  void SetUp() override { runtime::initialize_platform(); }
};
using BackendTest = ArgumentsTest;

const Port kDynamic = {ScalarType::Float, std::vector<int64_t>{-1, 2}};
const Port kStatic = {ScalarType::Float, std::vector<int64_t>{1, 2}};

TEST_F(ArgumentsTest, PortsAreWrittenAsTypes) {
  EXPECT_EQ(kDynamic.type_text(), "float32[?, 2]");
  EXPECT_EQ((Port{ScalarType::Half, std::vector<int64_t>{}}).type_text(), "float16[]");
  EXPECT_EQ((Port{ScalarType::Long, std::nullopt}).type_text(), "int64[...]");
  EXPECT_EQ(Port().type_text(), "another type[...]");
  EXPECT_TRUE(kStatic.is_static());
  EXPECT_FALSE(kDynamic.is_static());
  EXPECT_FALSE(Port().is_static());
}

TEST_F(ArgumentsTest, AreCountedAndHaveLabels) {
  const Arguments arguments("engine", {kDynamic, kStatic}, {kDynamic});
  EXPECT_EQ(arguments.label(1), "input 1");
  EXPECT_EQ(arguments.label(2), "output 0");
  EXPECT_EQ(arguments.check_count(3), et::Error::Ok);
  const runtime::LogCapture log;
  EXPECT_EQ(arguments.check_count(2), et::Error::InvalidArgument);
  EXPECT_THAT(log.text(),
              HasSubstr("engine: it has 2 inputs and 1 outputs, and 2 values were given"));
}

TEST_F(ArgumentsTest, WhatDoesNotFitIsSaid) {
  const Arguments arguments("engine", {kDynamic, {}}, {kDynamic});
  Value right({3, 2}, std::vector<float>(6));
  EXPECT_EQ(arguments.check(0, *right.value()), et::Error::Ok);
  const auto refused = [&](size_t index, et::EValue& value, const std::string& said) {
    const runtime::LogCapture log;
    EXPECT_EQ(arguments.check(index, value), et::Error::InvalidArgument) << said;
    EXPECT_THAT(log.text(), HasSubstr(said));
  };
  Value wide({3, 3}, std::vector<float>(9));
  refused(0, *wide.value(),
          "engine: input 0 must be float32[?, 2], contiguous, and float32[3, 3] was given");
  Value flat({2}, std::vector<float>(2));
  refused(0, *flat.value(), "and float32[2] was given");
  refused(2, *flat.value(), "output 0 must be float32[?, 2], contiguous, and float32[2] was given");
  Value integers({3, 2}, std::vector<float>(6), ScalarType::Int);
  refused(0, *integers.value(), "and int32[3, 2] was given");
  Value transposed({3, 2}, std::vector<float>(6), ScalarType::Float, true);
  refused(0, *transposed.value(), "contiguous, and float32[3, 2] was given");
  refused(1, *right.value(), "input 1 must be another type[...]");
  et::EValue number(int64_t{3});
  refused(0, number, "input 0 must be a tensor, float32[?, 2]");
}

TEST_F(ArgumentsTest, OutputsAreResizedWithinTheirMemory) {
  const Arguments arguments("engine", {}, {kDynamic, kStatic});
  Value output({3, 2}, std::vector<float>(6));
  EXPECT_EQ(arguments.check(0, *output.value()), et::Error::Ok);
  EXPECT_EQ(output.sizes(), (std::vector{3, 2})) << "not known yet";
  EXPECT_EQ(arguments.check(1, *output.value()), et::Error::Ok);
  EXPECT_EQ(output.sizes(), (std::vector{1, 2}));
  EXPECT_EQ(arguments.resize(0, output.tensor(), std::vector<int64_t>{2, 2}), et::Error::Ok);
  EXPECT_EQ(output.sizes(), (std::vector{2, 2}));
  const runtime::LogCapture log;
  EXPECT_NE(arguments.resize(0, output.tensor(), std::vector<int64_t>{4, 2}), et::Error::Ok);
  EXPECT_THAT(log.text(), HasSubstr("engine: output 0 is float32[4, 2], which does not fit its "
                                    "memory for float32[2, 2]"));
  EXPECT_EQ(output.sizes(), (std::vector{2, 2}));
}

TEST_F(ArgumentsTest, MemoryIsNeededForElementsAlone) {
  const Arguments arguments("engine", {kDynamic}, {});
  void* data = &data;
  Value empty({0, 2}, {});
  EXPECT_EQ(arguments.find_memory(0, empty.tensor(), &data), et::Error::Ok);
  EXPECT_EQ(data, nullptr);
  Value some({1, 2}, {1, 2});
  EXPECT_EQ(arguments.find_memory(0, some.tensor(), &data), et::Error::Ok);
  EXPECT_EQ(data, some.tensor().const_data_ptr());
  const Value none({1, 2}, {});
  const runtime::LogCapture log;
  EXPECT_EQ(arguments.find_memory(0, none.tensor(), &data), et::Error::InvalidArgument);
  EXPECT_THAT(log.text(), HasSubstr("engine: input 0 has no memory"));
}

// A library of the same functions, such as a program that is linked with ExecuTorch statically has.
TEST(Registration, NoticesASecondExecutorch) {
  EXPECT_EQ(other_executorchs(), std::vector<std::string>());
  void* const second = ::dlopen(SLIPWAY_SECOND_EXECUTORCH, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(second, nullptr) << ::dlerror();
  EXPECT_EQ(other_executorchs(), std::vector<std::string>{SLIPWAY_SECOND_EXECUTORCH});
  ::dlclose(second);
  EXPECT_EQ(other_executorchs(), std::vector<std::string>());
}

TEST_F(BackendTest, LongErrorsAreLoggedWhole) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "word " + std::to_string(i) + " ";
  text += std::string(500, 'x');
  const runtime::LogCapture log;
  log_error("engine", text);
  std::string whole = runtime::first_reason(log.text());
  // What has no space is cut where it must be.
  std::erase(whole, ' ');
  std::erase(text, ' ');
  EXPECT_EQ(whole, "engine:" + text);
}

TEST_F(BackendTest, OfEndlessErrorsSomeIsLogged) {
  const runtime::LogCapture log;
  log_error("engine", std::string(size_t{32} << 20, 'x'));
  EXPECT_GT(log.text().size(), 1000U);
  EXPECT_LT(log.text().size(), 10000U);
}

int living = 0;

class Counting final : public Engine {
 public:
  Counting() { ++living; }
  ~Counting() override { --living; }
  et::Error run(et::Span<et::EValue*> arguments, et::EventTracer*) override {
    if (arguments.empty()) throw std::bad_alloc();
    return et::Error::Ok;
  }
};

// Takes every engine but one without bytes.
class TestBackend final : public Backend {
 public:
  TestBackend() : Backend("test") {}
  std::string version = "1.0";

 private:
  et::Result<std::unique_ptr<Engine>> load(et::BackendInitContext&, et::FreeableBuffer& processed,
                                           et::ArrayRef<et::CompileSpec> specs) const override {
    if (!specs.empty()) throw std::bad_alloc();
    if (processed.size() == 0) return et::Error::DelegateInvalidCompatibility;
    return std::unique_ptr<Engine>(std::make_unique<Counting>());
  }
  std::optional<Setting> setting(std::string_view key) const override {
    if (key == "library_version") return version;
    if (key == "num_threads") return 3;
    return std::nullopt;
  }
};

TEST_F(BackendTest, EnginesLiveUntilTheyAreDestroyed) {
  const TestBackend backend;
  et::BackendInitContext context(nullptr);
  et::FreeableBuffer bytes("x", 1, nullptr);
  const auto handle = backend.init(context, &bytes, {});
  ASSERT_TRUE(handle.ok());
  EXPECT_EQ(living, 1);
  et::BackendExecutionContext execution;
  et::EValue value(int64_t{3});
  std::array arguments = {&value};
  EXPECT_EQ(backend.execute(execution, *handle, {arguments.data(), 1}), et::Error::Ok);
  {
    const runtime::LogCapture log;
    EXPECT_EQ(backend.execute(execution, *handle, {}), et::Error::MemoryAllocationFailed);
    EXPECT_THAT(log.text(), HasSubstr("test: std::bad_alloc"));
  }
  backend.destroy(*handle);
  EXPECT_EQ(living, 0);
}

TEST_F(BackendTest, ErrorsAndExceptionsOfLoadingAreErrors) {
  const TestBackend backend;
  et::BackendInitContext context(nullptr);
  et::FreeableBuffer nothing("", 0, nullptr);
  EXPECT_EQ(backend.init(context, &nothing, {}).error(), et::Error::DelegateInvalidCompatibility);
  et::FreeableBuffer bytes("x", 1, nullptr);
  const et::CompileSpec spec = {"key", {nullptr, 0}};
  const runtime::LogCapture log;
  EXPECT_EQ(backend.init(context, &bytes, {&spec, 1}).error(), et::Error::MemoryAllocationFailed);
  EXPECT_THAT(log.text(), HasSubstr("test: std::bad_alloc"));
  EXPECT_EQ(living, 0);
}

TEST_F(BackendTest, TellsWhatItRunsWith) {
  TestBackend backend;
  et::BackendOptionContext context;
  et::BackendOptions<2> asked;
  asked.set_option("library_version", "");
  asked.set_option("num_threads", 0);
  auto view = asked.view();
  EXPECT_EQ(backend.get_option(context, view), et::Error::Ok);
  const char* version = nullptr;
  EXPECT_EQ(asked.get_option("library_version", version), et::Error::Ok);
  EXPECT_STREQ(version, "1.0");
  int threads = 0;
  EXPECT_EQ(asked.get_option("num_threads", threads), et::Error::Ok);
  EXPECT_EQ(threads, 3);

  // The end of a text that is cut would be missing without a word.
  backend.version.assign(et::kMaxOptionValueLength, 'v');
  EXPECT_EQ(backend.get_option(context, view), et::Error::NotFound);
  backend.version.pop_back();
  EXPECT_EQ(backend.get_option(context, view), et::Error::Ok);
  et::BackendOptions<1> other;
  other.set_option("capabilities", "");
  auto other_view = other.view();
  EXPECT_EQ(backend.get_option(context, other_view), et::Error::NotFound);
}

}  // namespace
}  // namespace slipway::delegate
