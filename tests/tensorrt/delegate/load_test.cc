// Engines that load or don't: what the blob says, what the machine lacks, how much memory there is.
#include <array>
#include <cstring>

#include "tensorrt/delegate/delegate_test.h"
#include "tensorrt/library/library.h"

namespace slipway::tensorrt {
namespace {

using testing::HasSubstr;

class LoadTest : public DelegateTest {
 protected:
  // That it does not load, and what is logged then.
  static void expect_refused(const std::string& blob, et::Error error, const std::string& why,
                             const Handle::Specs& specs = {}) {
    const Handle engine(blob, specs);
    EXPECT_EQ(engine.error(), error) << why << "\n" << engine.log();
    EXPECT_THAT(engine.log(), HasSubstr(why));
  }
};

TEST_F(LoadTest, OneRuntimeServesAllEngines) {
  use_version(110200);
  const int before = tensorrt.runtimes;
  {
    const Handle first(doubling());
    const Handle second(doubling());
    EXPECT_EQ(first.error(), et::Error::Ok) << first.log();
    EXPECT_EQ(second.error(), et::Error::Ok);
    EXPECT_EQ(tensorrt.live_contexts, 2);
  }
  const Handle third(doubling());
  EXPECT_EQ(tensorrt.runtimes, before + 1);
}

TEST_F(LoadTest, WithoutTensorrtTheErrorSaysHowToGetIt) {
  ::setenv("SLIPWAY_TENSORRT_LIB", "/nowhere/libnvinfer.so.11", 1);
  expect_refused(doubling(), et::Error::NotFound,
                 "/nowhere/libnvinfer.so.11, which SLIPWAY_TENSORRT_LIB names, does not exist");
  // It can be brought later.
  use_version(kT11);
  const Handle engine(doubling());
  EXPECT_EQ(engine.error(), et::Error::Ok) << engine.log();
}

TEST_F(LoadTest, WithoutADriverTheErrorSaysWhatToInstall) {
  ::setenv("SLIPWAY_CUDA_DRIVER", "libslipway_no_driver.so", 1);
  expect_refused(doubling(), et::Error::NotFound, "NVIDIA's driver is not here");
  ::setenv("SLIPWAY_TENSORRT_LIB", "/nowhere", 1);
  const Handle neither(doubling());
  EXPECT_EQ(neither.error(), et::Error::NotFound);
  EXPECT_THAT(neither.log(), HasSubstr("/nowhere, which SLIPWAY_TENSORRT_LIB names"));
  EXPECT_THAT(neither.log(), HasSubstr(". And: NVIDIA's driver is not here"));
  // ExecuTorch's log has room for 255 bytes.
  const std::string folder = "/nowhere/" + std::string(180, 'x');
  ::setenv("SLIPWAY_TENSORRT_LIB", folder.c_str(), 1);
  const Handle far(doubling());
  const std::string reason = runtime::first_reason(far.log());
  EXPECT_THAT(reason, HasSubstr(folder + ", which SLIPWAY_TENSORRT_LIB names"));
  EXPECT_THAT(reason, HasSubstr("NVIDIA's driver is not here"));
  EXPECT_THAT(reason, HasSubstr("or give the container the host's"));
  cuda::use_stand_in_driver(SLIPWAY_TEST_DRIVERS);
}

// The real library, where a machine has it: neither a missing driver nor a foreign plan disturbs
// what is loaded next.
TEST_F(LoadTest, TheRealLibraryIsOpenedToo) {
  ::unsetenv("SLIPWAY_TENSORRT_LIB");
  const auto library = Library::open({.with_parser = false});
  if (!library.ok()) GTEST_SKIP() << library.error().message();
  ::setenv("SLIPWAY_CUDA_DRIVER", "libslipway_no_driver.so", 1);
  const Handle without(doubling());
  EXPECT_EQ(without.error(), et::Error::NotFound);
  EXPECT_THAT(without.log(), HasSubstr("TensorRT engine: NVIDIA's driver is not here"));
  cuda::use_stand_in_driver(SLIPWAY_TEST_DRIVERS);
  if ((*library)->version().family == Family::kRtx) {
    expect_refused(doubling(), et::Error::InvalidProgram,
                   (*library)->version().name() + " does not know the header of its plan");
  }
  use_version(kT11);
  const Handle next(doubling());
  EXPECT_EQ(next.error(), et::Error::Ok) << next.log();
}

TEST_F(LoadTest, VersionsThatNobodyKnowsAreNamed) {
  use_version(120000);
  expect_refused(doubling(), et::Error::NotSupported, "TensorRT 12.0.0 at");
  use_version(110300);
  tensorrt.refuses_runtime = true;
  expect_refused(doubling(), et::Error::NotFound,
                 "TensorRT 11.3.0 makes no runtime on this machine");
}

TEST_F(LoadTest, TheDeviceIsTheSpecsOrTheBlobs) {
  const std::string ninth = "there is no cuda:9: this machine has " + describe_device();
  const std::string last = "cuda:" + std::to_string(driver.devices - 1);
  Metadata metadata = doubling_metadata();
  metadata.device_id = 9;
  expect_refused(doubling("", metadata), et::Error::NotFound, ninth);
  expect_refused(doubling(), et::Error::NotFound, ninth, {{"target_device", "cuda:9"}});
  for (const char* device : {"cuda", "cuda:0", last.c_str()}) {
    const Handle engine(doubling("", metadata), {{"target_device", device}});
    EXPECT_EQ(engine.error(), et::Error::Ok) << device << engine.log();
  }
  for (const char* device :
       {"", "cpu", "cuda:", "cuda:-1", "cuda:x", "cuda:0 ", "cuda:99999999999"}) {
    expect_refused(doubling(), et::Error::InvalidProgram,
                   "the file's compile spec target_device is '" + std::string(device) +
                       "', and must be such as 'cuda:0'",
                   {{"target_device", device}});
  }
  expect_refused(doubling(), et::Error::InvalidProgram, "target_device twice",
                 {{"target_device", "cuda:0"}, {"target_device", "cuda:0"}});
  metadata.device_id = -1;
  expect_refused(doubling("", metadata), et::Error::NotFound, "there is no cuda:-1");
}

TEST_F(LoadTest, ADamagedPlanIsFoundBeforeTensorrtSeesIt) {
  const std::string plan = stand_in_plan(kDoubling);
  Metadata metadata = doubling_metadata();
  metadata.engine_sha256 = sha256_hex(std::as_bytes(std::span(plan)));
  const std::string good = blob_of(metadata, plan);
  EXPECT_EQ(Handle(good).error(), et::Error::Ok);
  const int before = tensorrt.deserialized;
  for (size_t i = good.size() - plan.size(); i < good.size(); i += 7) {
    std::string damaged = good;
    damaged[i] ^= 1;
    expect_refused(damaged, et::Error::InvalidProgram,
                   "its plan is damaged: it does not have the SHA-256 that its blob says");
  }
  EXPECT_EQ(tensorrt.deserialized, before);
}

TEST_F(LoadTest, WhatTheBlobSaysWronglyIsRefused) {
  const std::string good = doubling();
  expect_refused(good.substr(0, 31), et::Error::InvalidProgram,
                 "its blob can't be read: it is cut short");
  expect_refused("TR03" + good.substr(4), et::Error::InvalidProgram, "neither TR01 nor TR02");
  expect_refused(good.substr(0, good.size() - 1), et::Error::InvalidProgram, "is not within its");
  Metadata metadata = doubling_metadata();
  metadata.io_bindings[1].name = "z";
  expect_refused(doubling("", metadata), et::Error::InvalidProgram,
                 "its blob has an output 'z', which its plan has not");
  metadata = doubling_metadata();
  metadata.io_bindings[1].is_input = true;
  expect_refused(doubling("", metadata), et::Error::InvalidProgram,
                 "its blob has an input 'y', which its plan has not");
  metadata = doubling_metadata();
  metadata.io_bindings.pop_back();
  expect_refused(doubling("", metadata), et::Error::InvalidProgram,
                 "its plan has an output 'y', which its blob does not name");
  metadata.io_bindings.clear();
  expect_refused(doubling("", metadata), et::Error::InvalidProgram,
                 "its blob names no bindings, and input 'x' of the plan has no place");
  metadata = doubling_metadata();
  metadata.aliased_io = {{"y", "x", "other"}};
  expect_refused(doubling("", metadata), et::Error::InvalidProgram,
                 "output 'y' is in the memory of input 'x' as 'other'");
  metadata = doubling_metadata();
  metadata.io_bindings.push_back({"i", "int64", {2}, true});
  metadata.aliased_io = {{"y", "i", "user"}};
  expect_refused(doubling("input i int64 2\n", metadata), et::Error::InvalidProgram,
                 "output 'y' is in the memory of input 'i', and of another type");
  EXPECT_EQ(tensorrt.live_engines, 0);
}

TEST_F(LoadTest, AnotherPlatformIsNamedWithThisOne) {
  Metadata metadata = doubling_metadata();
  for (const char* platform : {"windows_x86_64", "linux_aarch64"}) {
    metadata.target_platform = platform;
    expect_refused(doubling("", metadata), et::Error::DelegateInvalidCompatibility,
                   "it is for " + std::string(platform) + ", and this is linux_x86_64");
  }
  for (const char* platform : {"", "unknown", "linux_x86_64"}) {
    metadata.target_platform = platform;
    EXPECT_EQ(Handle(doubling("", metadata)).error(), et::Error::Ok) << platform;
  }
}

TEST_F(LoadTest, ShapesAsInputsAreRefused) {
  Metadata metadata = doubling_metadata();
  metadata.io_bindings.push_back({"s", "int64", {2}, true});
  expect_refused(doubling("shape_input s int64 2\n", metadata), et::Error::NotSupported,
                 "input 's' is a shape, which the delegate does not take");
}

TEST_F(LoadTest, PlansThatTensorrtRefusesHaveItsReason) {
  const std::string broken = "no plan at all, though as long as the sixty-four bytes of a header";
  Metadata metadata = doubling_metadata();
  expect_refused(blob_of(metadata, broken), et::Error::InvalidProgram,
                 "TensorRT 11.1.0 does not load the plan on this machine: stand-in: this is no "
                 "plan");
  // An intact one is not for this machine.
  const std::string other = stand_in_plan(kDoubling, driver.capability + 1);
  metadata.engine_sha256 = sha256_hex(std::as_bytes(std::span(other)));
  expect_refused(blob_of(metadata, other), et::Error::DelegateInvalidCompatibility,
                 "stand-in: the engine cannot run on this GPU");
}

TEST_F(LoadTest, TensorrtRtxJudgesTheHeaderFirst) {
  use_version(kRtx);
  const int before = tensorrt.deserialized;
  expect_refused(
      blob_of(doubling_metadata(), stand_in_plan(kDoubling, driver.capability + 1)),
      et::Error::DelegateInvalidCompatibility,
      "its plan does not run with TensorRT-RTX 1.7.1 on this machine: it is not for this "
      "GPU's compute capability");
  expect_refused(blob_of(doubling_metadata(), std::string(100, 'x')), et::Error::InvalidProgram,
                 "TensorRT-RTX 1.7.1 does not know the header of its plan");
  expect_refused(blob_of(doubling_metadata(), "short"), et::Error::InvalidProgram,
                 "its plan is cut short: 5 bytes");
  EXPECT_EQ(tensorrt.deserialized, before);
}

TEST_F(LoadTest, MemoryThatALoadLacksIsSaid) {
  driver.memory = 10'000;
  expect_refused(doubling("weights 20000\n"), et::Error::MemoryAllocationFailed,
                 "stand-in: out of memory for weights: free=10000, total=10000");
  expect_refused(doubling("weights 4000\ncontext 7000\n"), et::Error::MemoryAllocationFailed,
                 "TensorRT 11.1.0 makes no context of the engine: stand-in: OutOfMemory for a "
                 "context: free=5744, total=10000");
  expect_refused(doubling("weights 9900\n"), et::Error::MemoryAllocationFailed,
                 "no memory of 256 bytes for cuda:0");
  EXPECT_EQ(tensorrt.live_engines, 0);
  EXPECT_EQ(Handle(doubling("weights 4000\ncontext 5000\n")).error(), et::Error::Ok);
}

et::BackendOption text_option(const std::string& value) {
  et::BackendOption option{};
  std::strncpy(option.key, "weight_streaming_budget", sizeof option.key - 1);
  std::array<char, et::kMaxOptionValueLength> text{};
  std::copy(value.begin(), value.end(), text.begin());
  option.value = text;
  return option;
}
template <class Value>
et::BackendOption option_of(Value value) {
  et::BackendOption option = text_option("");
  option.value = value;
  return option;
}

class BudgetTest : public LoadTest {
 protected:
  // The budget that is set last; -1 where the setter is never called.
  int64_t budget_after(const std::string& lines, const Handle::Specs& specs,
                       std::vector<et::BackendOption> options = {}) {
    tensorrt.budget = -1;
    sets_ = tensorrt.budgets_set;
    const Handle engine(doubling(lines), specs, std::move(options));
    EXPECT_EQ(engine.error(), et::Error::Ok) << engine.log();
    log_ = engine.log();
    sets_ = tensorrt.budgets_set - sets_;
    return tensorrt.budget;
  }
  int sets_ = 0;
  std::string log_;
};

const std::string kStreamable = "streamable 4096\nautomatic 1000\n";
Handle::Specs spec(const std::string& value) { return {{"weight_streaming_budget", value}}; }

TEST_F(BudgetTest, TheLoadOptionIsBeforeTheFileIsBeforeTheAutomaticOne) {
  for (const int version : {100100, kT10, kT11, kRtx}) {
    use_version(version);
    EXPECT_EQ(budget_after(kStreamable, {}), 1000) << version;
    EXPECT_EQ(budget_after(kStreamable, spec("2000")), 2000);
    EXPECT_EQ(budget_after(kStreamable, spec("0")), 0);
    EXPECT_EQ(budget_after(kStreamable, spec("2000"), {text_option("3000")}), 3000);
    EXPECT_EQ(budget_after(kStreamable, {}, {option_of(3001)}), 3001);
    EXPECT_EQ(budget_after(kStreamable, spec("2000"), {text_option("0")}), 0);
    EXPECT_EQ(sets_, 1);
    EXPECT_EQ(log_, "");
  }
}

TEST_F(BudgetTest, MoreThanCanBeStreamedIsAllOfIt) {
  EXPECT_EQ(budget_after(kStreamable, spec("9223372036854775807")), 4096);
  EXPECT_EQ(budget_after("streamable 4096\nautomatic 5000\n", {}), 4096);
  EXPECT_EQ(budget_after("streamable 4096\nautomatic -1\n", {}), 0);
}

TEST_F(BudgetTest, AnEmptyOptionWarnsAndAsksForNothing) {
  EXPECT_EQ(budget_after(kStreamable, spec("2000"), {text_option("")}), 2000);
  EXPECT_THAT(log_, HasSubstr("the load option weight_streaming_budget is empty"));
  EXPECT_EQ(budget_after(kStreamable, {}, {text_option("")}), 1000);
}

TEST_F(BudgetTest, WhatIsNoBudgetIsAnInvalidProgram) {
  const std::string not_digits = ", and must be a number of bytes: decimal digits alone";
  for (const std::string& text :
       {std::string("-1"), std::string("9223372036854775808"), std::string("garbage"),
        std::string("12x"), std::string("12 34"), std::string("42 "), std::string(" 42"),
        std::string("+42"), std::string("123\0x", 5), std::string(), std::string("42\0", 3)}) {
    expect_refused(doubling(kStreamable), et::Error::InvalidProgram, not_digits, spec(text));
    if (text.empty() || text.find('\0') != std::string::npos) continue;
    const Handle option(doubling(kStreamable), spec("1"), {text_option(text)});
    EXPECT_EQ(option.error(), et::Error::InvalidProgram) << text;
    EXPECT_THAT(option.log(), HasSubstr("the load option weight_streaming_budget is '" + text));
  }
  for (const et::BackendOption& option : {option_of(-1), option_of(true)}) {
    EXPECT_EQ(Handle(doubling(kStreamable), {}, {option}).error(), et::Error::InvalidProgram);
  }
  EXPECT_EQ(Handle(doubling(kStreamable), {}, {text_option("1"), text_option("1")}).error(),
            et::Error::InvalidProgram);
  Handle::Specs twice = spec("1");
  twice.push_back(twice[0]);
  expect_refused(doubling(kStreamable), et::Error::InvalidProgram, "twice", twice);
  // Also where it would not be used.
  expect_refused(doubling(), et::Error::InvalidProgram, not_digits, spec("x"));
}

TEST_F(BudgetTest, AnEngineThatCannotStreamIsLeftAlone) {
  EXPECT_EQ(budget_after("", {}), -1);
  EXPECT_EQ(log_, "");
  EXPECT_EQ(budget_after("", spec("2000")), -1);
  EXPECT_EQ(sets_, 0);
  EXPECT_THAT(log_, HasSubstr("a weight-streaming budget was asked for, and the engine has no "
                              "weights that can be streamed"));
}

TEST_F(BudgetTest, WhereTheAutomaticOneIsRefusedAllIsStreamed) {
  tensorrt.largest_budget = 999;
  EXPECT_EQ(budget_after(kStreamable, {}), 0);
  EXPECT_EQ(sets_, 2);
  // One that was asked for is not replaced.
  expect_refused(doubling(kStreamable), et::Error::Internal,
                 "the weight-streaming budget of 1000 bytes can't be had: stand-in: no such budget",
                 spec("1000"));
}

TEST_F(BudgetTest, TheProcesssDefaultIsBeforeTheAutomaticOne) {
  ASSERT_TRUE(runtime::require_backend(kBackend).ok());
  const auto set_default = reinterpret_cast<int (*)(const char*)>(
      ::dlsym(::dlopen("libslipway_tensorrt.so", RTLD_NOW | RTLD_NOLOAD),
              "slipway_tensorrt_set_default_budget"));
  ASSERT_NE(set_default, nullptr);
  EXPECT_EQ(set_default("1500"), 0);
  EXPECT_EQ(budget_after(kStreamable, {}), 1500);
  EXPECT_EQ(budget_after(kStreamable, spec("2000")), 2000);
  EXPECT_EQ(budget_after(kStreamable, {}, {text_option("3000")}), 3000);
  EXPECT_EQ(set_default("-1"), 1);
  EXPECT_EQ(set_default(""), 1);
  EXPECT_EQ(budget_after(kStreamable, {}), 1500) << "as before";
  EXPECT_EQ(set_default("5000"), 0);
  EXPECT_EQ(budget_after(kStreamable, {}), 4096);
  EXPECT_EQ(set_default(nullptr), 0);
  EXPECT_EQ(budget_after(kStreamable, {}), 1000);
}

TEST_F(BudgetTest, ATotalIsForProgramsThatAreLoadedTogether) {
  et::BackendOption total = text_option("3000");
  std::strcpy(total.key, "weight_streaming_total");
  const Handle alone(doubling(kStreamable), {}, {total});
  EXPECT_EQ(alone.error(), et::Error::InvalidProgram);
  EXPECT_THAT(alone.log(), HasSubstr("the load option weight_streaming_total is for Slipway's own "
                                     "runtime"));
  // The file's share of it holds.
  Handle::Specs specs = spec("700");
  specs.emplace_back("weight_streaming_total", "3000");
  EXPECT_EQ(budget_after(kStreamable, specs), 700);
  specs[1].second = "x";
  expect_refused(doubling(kStreamable), et::Error::InvalidProgram,
                 "the file's compile spec weight_streaming_total is 'x'", specs);
  const Handle both(doubling(kStreamable), {}, {text_option("1"), total});
  EXPECT_EQ(both.error(), et::Error::InvalidProgram);
  EXPECT_THAT(both.log(), HasSubstr("are both there: give one"));
}

// ExecuTorch's own way, for all engines that are loaded.
class SetOptionTest : public BudgetTest {
 protected:
  et::Error set(std::vector<et::BackendOption> options) {
    const runtime::LogCapture log;
    const et::Error error = et::set_option(kBackend, {options.data(), options.size()});
    log_ = log.text();
    return error;
  }
  std::string in_force() {
    et::BackendOption asked = text_option("");
    const runtime::LogCapture log;
    const et::Error error = et::get_option(kBackend, {&asked, 1});
    log_ = log.text();
    if (error != et::Error::Ok) return "none";
    return std::get<std::array<char, et::kMaxOptionValueLength>>(asked.value).data();
  }
  static bool runs(Handle& engine) {
    TestTensor x({1, 3}, {1, 2, 3});
    TestTensor y({1, 3});
    return engine.run({&x, &y}) == et::Error::Ok && y.floats() == std::vector<float>{3, 5, 7};
  }
};

TEST_F(SetOptionTest, ChangesTheBudgetOfWhatIsLoadedAndTellsIt) {
  Handle first(doubling(kStreamable));
  Handle second(doubling("streamable 100\nautomatic 100\n"));
  const Handle fixed(doubling());
  EXPECT_EQ(in_force(), "1100");
  EXPECT_EQ(set({text_option("3000")}), et::Error::Ok) << log_;
  EXPECT_EQ(in_force(), "3100");
  EXPECT_EQ(set({option_of(50)}), et::Error::Ok);
  EXPECT_EQ(in_force(), "100");
  EXPECT_EQ(log_, "");
  EXPECT_TRUE(runs(first) && runs(second));
}

TEST_F(SetOptionTest, LeavesTheOldBudgetWhereTheNewOneCannotBeHad) {
  Handle engine(doubling(kStreamable));
  tensorrt.largest_budget = 2000;
  EXPECT_EQ(set({text_option("3000")}), et::Error::Internal);
  EXPECT_THAT(log_,
              HasSubstr("the weight-streaming budget of 3000 bytes can't be had: stand-in: no "
                        "such budget"));
  EXPECT_EQ(in_force(), "1000");
  EXPECT_TRUE(runs(engine));
  tensorrt.largest_budget = INT64_MAX;
  driver.memory = driver.used + 1000;
  EXPECT_EQ(set({text_option("3000")}), et::Error::MemoryAllocationFailed);
  EXPECT_THAT(log_, HasSubstr("stand-in: OutOfMemory for a context: free="));
  EXPECT_EQ(in_force(), "1000");
  driver.memory = size_t{1} << 30;
  EXPECT_TRUE(runs(engine));
  for (const char* text : {"x", "-1"}) {
    EXPECT_EQ(set({text_option(text)}), et::Error::InvalidArgument) << text;
  }
  et::BackendOption other = text_option("1");
  std::strcpy(other.key, "other");
  EXPECT_EQ(set({text_option("3000"), other}), et::Error::InvalidArgument);
  EXPECT_THAT(log_, HasSubstr("it has no option 'other' that can be set after loading"));
  EXPECT_EQ(in_force(), "1000");
}

TEST_F(SetOptionTest, WhatHasNoContextAnyMoreMakesOneWhenItRuns) {
  Handle engine(doubling(kStreamable));
  tensorrt.refuses_context = true;
  EXPECT_EQ(set({text_option("3000")}), et::Error::Internal);
  EXPECT_THAT(log_, HasSubstr("neither the new weight-streaming budget nor the old one"));
  EXPECT_FALSE(runs(engine));
  tensorrt.refuses_context = false;
  EXPECT_TRUE(runs(engine));
  EXPECT_EQ(in_force(), "1000");
}

TEST_F(SetOptionTest, WithoutWeightsToStreamItIsNotSupported) {
  const Handle fixed(doubling());
  EXPECT_EQ(in_force(), "none");
  EXPECT_THAT(log_, HasSubstr("no engine that is loaded has weights that can be streamed"));
  EXPECT_EQ(set({text_option("3000")}), et::Error::NotSupported);
}

TEST_F(BudgetTest, AVersionWithoutBudgetsIsNamed) {
  use_version(100000);
  expect_refused(
      doubling(kStreamable), et::Error::NotSupported,
      "TensorRT 10.0.0 has no getWeightStreamingAutomaticBudget: 10.1 or later is needed");
  EXPECT_EQ(budget_after("", {}), -1);
}

TEST_F(LoadTest, TellsItsVersionAndWhatItsGpuIs) {
  ASSERT_TRUE(runtime::require_backend(kBackend).ok());
  use_version(kRtx);
  const runtime::Environment here = runtime::environment_of(kBackend);
  EXPECT_EQ(here.library_version, "TensorRT-RTX 1.7.1");
  EXPECT_EQ(here.capabilities, "sm_" + std::to_string(driver.capability));
  ::setenv("SLIPWAY_TENSORRT_LIB", "/nowhere", 1);
  EXPECT_EQ(runtime::environment_of(kBackend).library_version, "");
}

}  // namespace
}  // namespace slipway::tensorrt
