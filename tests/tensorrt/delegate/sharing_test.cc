// What engines share: plans, and memory that they work in.
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "tensorrt/delegate/delegate_test.h"

namespace slipway::tensorrt {
namespace {

using testing::HasSubstr;
using Options = std::vector<et::BackendOption>;

template <class Value>
et::BackendOption option(const char* key, Value value) {
  et::BackendOption option{};
  std::strncpy(option.key, key, sizeof option.key - 1);
  option.value = value;
  return option;
}
et::BackendOption text(const char* key, const std::string& value) {
  std::array<char, et::kMaxOptionValueLength> array{};
  std::copy(value.begin(), value.end(), array.begin());
  return option(key, array);
}

class SharingTest : public DelegateTest {
 protected:
  static std::string blob(const std::string& more = "", bool with_digest = true) {
    Metadata metadata = doubling_metadata();
    const std::string plan = stand_in_plan(kDoubling + more);
    if (with_digest) metadata.engine_sha256 = sha256_hex(std::as_bytes(std::span(plan)));
    return blob_of(metadata, plan);
  }
  static bool runs(Handle& engine, float x = 1) {
    TestTensor input({2, 3}, std::vector<float>(6, x));
    TestTensor output({2, 3});
    const et::Error error = engine.run({&input, &output});
    EXPECT_EQ(error, et::Error::Ok) << engine.log();
    return output.floats() == std::vector<float>(6, 2 * x + 1);
  }
};

TEST_F(SharingTest, EqualPlansAreReadOnce) {
  const int before = tensorrt.deserialized;
  auto first = std::make_unique<Handle>(blob("weights 5000\n"));
  Handle second(blob("weights 5000\n"));
  Handle without_digest(blob("weights 5000\n", false));
  EXPECT_EQ(tensorrt.deserialized, before + 1);
  EXPECT_EQ(tensorrt.live_engines, 1);
  EXPECT_EQ(tensorrt.live_contexts, 3);
  first.reset();
  EXPECT_TRUE(runs(second) && runs(without_digest));
  Handle other(blob("weights 5001\n"));
  EXPECT_EQ(tensorrt.live_engines, 2);
}

TEST_F(SharingTest, TheLastOneTakesThePlanAlong) {
  { const Handle engine(blob()); }
  const int before = tensorrt.deserialized;
  const Handle engine(blob());
  EXPECT_EQ(tensorrt.deserialized, before + 1);
}

TEST_F(SharingTest, OneThatDoesNotShareNeitherTakesNorGives) {
  const Options off = {option("use_shared_engines", false)};
  const Handle alone(blob(), {}, off);
  const Handle first(blob());
  EXPECT_EQ(tensorrt.live_engines, 2) << "not given";
  const Handle again(blob(), {}, off);
  EXPECT_EQ(tensorrt.live_engines, 3) << "not taken";
  const Handle wrong(blob(), {}, {option("use_shared_engines", 1)});
  EXPECT_EQ(wrong.error(), et::Error::InvalidArgument);
  EXPECT_THAT(wrong.log(), HasSubstr("the option use_shared_engines must be true or false"));
  et::BackendOption later = option("use_shared_engines", false);
  const runtime::LogCapture log;
  EXPECT_EQ(et::set_option(kBackend, {&later, 1}), et::Error::InvalidArgument);
}

TEST_F(SharingTest, OtherDevicesAndBudgetsHaveTheirOwn) {
  const std::string streamed = blob("streamable 4096\nautomatic 1000\n");
  const Handle automatic(streamed);
  const Handle zero(streamed, {{"weight_streaming_budget", "0"}});
  const Handle half(streamed, {{"weight_streaming_budget", "2048"}});
  EXPECT_EQ(tensorrt.live_engines, 3);
  const Handle half_too(streamed, {}, {text("weight_streaming_budget", "2048")});
  EXPECT_EQ(tensorrt.live_engines, 3);
  if (driver.devices < 2) return;
  const Handle elsewhere(streamed, {{"target_device", "cuda:1"}});
  EXPECT_EQ(tensorrt.live_engines, 4);
}

TEST_F(SharingTest, ABudgetThatChangesIsThatOfAllWhoShareIt) {
  const std::string streamed = blob("streamable 4096\nautomatic 1000\n");
  Handle first(streamed, {}, {text("program", "a")});
  Handle second(streamed, {}, {text("program", "b")});
  for (const char* program : {"a", "b"}) {
    Options finish = {text("program", program), option("finish_program", true)};
    ASSERT_EQ(et::set_option(kBackend, {finish.data(), finish.size()}), et::Error::Ok);
  }
  ASSERT_EQ(tensorrt.live_engines, 1);
  Options change = {text("program", "a"), text("weight_streaming_budget", "3000")};
  ASSERT_EQ(et::set_option(kBackend, {change.data(), change.size()}), et::Error::Ok);
  EXPECT_EQ(tensorrt.budget, 3000);
  EXPECT_TRUE(runs(first) && runs(second));
  // Who asks for what it was before gets that, and not what it is now.
  tensorrt.budget = -1;
  const Handle later(streamed);
  EXPECT_EQ(tensorrt.live_engines, 2);
  EXPECT_EQ(tensorrt.budget, 1000);
}

TEST_F(SharingTest, ThreadsThatLoadTheSameAtOnceEndOnOnePlan) {
  const std::string bytes = blob();
  std::array<std::unique_ptr<Handle>, 4> handles;
  std::vector<std::thread> threads;
  std::atomic<bool> right = true;
  for (size_t i = 0; i < handles.size(); ++i) {
    threads.emplace_back([&, i] {
      handles[i] = std::make_unique<Handle>(bytes);
      for (int run = 0; run < 50; ++run) {
        if (!runs(*handles[i], static_cast<float>(i))) right = false;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(right);
  EXPECT_EQ(tensorrt.live_engines, 1);
}

TEST_F(SharingTest, AFailedLoadLeavesTheSharedPlanAlone) {
  Handle engine(blob());
  tensorrt.refuses_context = true;
  const Handle failed(blob());
  EXPECT_EQ(failed.error(), et::Error::Internal);
  tensorrt.refuses_context = false;
  EXPECT_EQ(tensorrt.live_engines, 1);
  EXPECT_TRUE(runs(engine));
}

class ScratchTest : public SharingTest {
 protected:
  void TearDown() override {
    if (et::get_backend_class(kBackend) != nullptr) set_default(false);
    SharingTest::TearDown();
  }
  static void set_default(bool value) {
    et::BackendOption all = option("use_shared_activation_scratch", value);
    EXPECT_EQ(et::set_option(kBackend, {&all, 1}), et::Error::Ok);
  }
  static void finish(const char* program) {
    Options options = {text("program", program), option("finish_program", true)};
    EXPECT_EQ(et::set_option(kBackend, {options.data(), options.size()}), et::Error::Ok);
  }
  // What the loading of these engines takes of the device: each has 256 bytes besides.
  size_t taken(size_t engines) const { return driver.used - before_ - engines * 256; }
  size_t before_ = driver.used;
  const Options shared_ = {option("use_shared_activation_scratch", true)};
};

TEST_F(ScratchTest, EnginesOfAProgramWorkInOneMemory) {
  Handle small(blob("context 1000\n"), {}, {text("program", "a")});
  Handle large(blob("context 3000\n"), {}, {text("program", "a")});
  finish("a");
  EXPECT_EQ(taken(2), 3000u);
  Handle other(blob("context 2000\n"), {}, {text("program", "b")});
  finish("b");
  EXPECT_EQ(taken(3), 5000u) << "programs may run at once";
  EXPECT_TRUE(runs(small) && runs(large) && runs(small));
}

TEST_F(ScratchTest, EnginesThatStandAloneHaveTheirOwn) {
  Handle small(blob("context 1000\n"));
  Handle large(blob("context 3000\n"));
  EXPECT_EQ(taken(2), 4000u);
  EXPECT_TRUE(runs(small) && runs(large));
}

TEST_F(ScratchTest, OnRequestAllProgramsWorkInOneMemory) {
  for (const int version : {kT10, kT11, kRtx}) {
    use_version(version);
    before_ = driver.used;
    Handle small(blob("context 1000\n"), {}, shared_);
    Handle large(blob("context 3000\n"), {}, shared_);
    const Handle apart(blob("context 500\n"));
    EXPECT_EQ(taken(3), 3500u);
    EXPECT_TRUE(runs(small) && runs(large));
    std::thread other([&] {
      for (int i = 0; i < 50; ++i) EXPECT_TRUE(runs(small, 3));
    });
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(runs(large, 5));
    other.join();
  }
}

TEST_F(ScratchTest, TheProcessMayAskForIt) {
  const Handle before(blob("context 1000\n"));
  set_default(true);
  Handle first(blob("context 1000\n"));
  Handle second(blob("context 3000\n"));
  const Handle without(blob("context 100\n"), {}, {option("use_shared_activation_scratch", false)});
  EXPECT_EQ(taken(4), 1000u + 3000u + 100u);
  EXPECT_TRUE(runs(first) && runs(second));
  et::BackendOption wrong = option("use_shared_activation_scratch", 1);
  const runtime::LogCapture log;
  EXPECT_EQ(et::set_option(kBackend, {&wrong, 1}), et::Error::InvalidArgument);
}

TEST_F(ScratchTest, AGraphIsRecordedAnewWhereTheMemoryHasMoved) {
  Options options = shared_;
  options.push_back(option("use_cuda_graphs", true));
  Handle small(blob("context 1000\n"), {}, options);
  const int before = driver.graphs;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(runs(small, static_cast<float>(i)));
  EXPECT_EQ(driver.graphs, before + 1);
  const Handle large(blob("context 3000\n"), {}, shared_);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(runs(small, static_cast<float>(i)));
  EXPECT_EQ(driver.graphs, before + 2);
}

TEST_F(ScratchTest, OneThatCannotGrowServesWhatItServed) {
  Handle small(blob("context 1000\n"), {}, shared_);
  driver.memory = driver.used + 1000;
  const Handle large(blob("context 30000\n"), {}, shared_);
  EXPECT_EQ(large.error(), et::Error::MemoryAllocationFailed);
  EXPECT_THAT(large.log(), HasSubstr("free="));
  driver.memory = size_t{1} << 30;
  EXPECT_TRUE(runs(small));
}

TEST_F(ScratchTest, AVersionThatCannotBeGivenMemoryHasItsOwn) {
  use_version(100000);
  Handle small(blob("context 1000\n"), {}, shared_);
  Handle large(blob("context 3000\n"), {}, shared_);
  EXPECT_EQ(taken(2), 4000u);
  EXPECT_TRUE(runs(small) && runs(large));
}

}  // namespace
}  // namespace slipway::tensorrt
