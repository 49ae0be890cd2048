// Method::run_async where engines leave their work to be waited for. The stand-in for the driver
// does work only when it is waited for: a run that no thread waits for is not done by itself.
#include <chrono>
#include <thread>

#include "slipway/cuda.h"
#include "tensorrt/delegate/module_test.h"

namespace slipway::tensorrt {
namespace {

using pte::floats;
using pte::to_floats;
using testing::HasSubstr;
using Floats = std::vector<float>;

class QueuedRunTest : public ModuleTest {
 protected:
  ir::Value* input(const char* name = "x") { return p.input(name, p.type({1, 3})); }

  // Whether the run that is begun comes to its end only once it is waited for. A GPU does not wait.
  static bool is_queued(const PendingRun& run) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return !run.is_done();
  }
  // What run_async gives, once it was queued, or run by a thread.
  Floats result(const Method& method, const std::vector<Value>& inputs, bool is_expected_queued) {
    auto run = method.run_async(inputs);
    EXPECT_TRUE(run.ok()) << run.error().message();
    if (!driver.is_real) {
      EXPECT_EQ(is_queued(*run), is_expected_queued);
    }
    const auto outputs = run->wait();
    EXPECT_TRUE(outputs.ok()) << outputs.error().message();
    EXPECT_TRUE(run->is_done());
    return outputs.ok() ? to_floats((*outputs)[0]) : Floats();
  }

  const std::vector<Value> given = {floats({1, 3}, {1, 2, 3})};
};

TEST_F(QueuedRunTest, AnEngineIsQueuedOnceItsMethodIsPrepared) {
  p.output(call(input(), "1", 2, 1, "y"));
  const auto loaded = module();
  const auto method = loaded->method();
  EXPECT_EQ(result(*method, given, false), (Floats{3, 5, 7}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(result(*method, given, true), (Floats{3, 5, 7}));
}

TEST_F(QueuedRunTest, ResultsAreNotThereBeforeItIsWaitedFor) {
  p.output(call(input(), "1", 2, 1, "y"));
  const auto loaded = module();
  const auto method = loaded->method();
  DeviceFloats in({1, 2, 3});
  DeviceFloats out({0, 0, 0});
  const auto on_device = [](DeviceFloats& memory) {
    return *Tensor::borrow(memory.data(), 12, DType::kFloat32, {1, 3}, {Device::Type::kCuda, 0});
  };
  ASSERT_TRUE(method->set_output(0, on_device(out)).ok());
  const std::vector<Value> inputs = {on_device(in)};
  const int waits = driver.waits;
  const int copies = driver.copies_to_device + driver.copies_to_host;
  auto run = method->run_async(inputs);
  ASSERT_TRUE(run.ok()) << run.error().message();
  EXPECT_EQ(driver.waits, waits);
  EXPECT_EQ(driver.copies_to_device + driver.copies_to_host, copies);
  if (!driver.is_real) {
    EXPECT_EQ(out.floats(), Floats(3, 0)) << "the work is done when it is waited for";
  }
  EXPECT_THAT(method->run(inputs).error().message(), HasSubstr("wait for that first"));
  ASSERT_TRUE(run->wait().ok());
  EXPECT_EQ(out.floats(), (Floats{3, 5, 7}));
  ASSERT_TRUE(method->run(inputs).ok());
}

TEST_F(QueuedRunTest, TheCallersStreamIsQueuedOn) {
  p.output(call(input(), "1", 2, 1, "y"));
  const auto loaded = module();
  ASSERT_TRUE(loaded->method()->prepare().ok());
  const auto device = *cuda::Device::open(0);
  const auto stream = cuda::Stream::create(device);
  ASSERT_TRUE(stream.ok());
  std::optional<PendingRun> run;
  {
    const cuda::StreamGuard guard(stream->handle());
    run = *loaded->method()->run_async(given);
  }
  const auto current = device->make_current();
  ASSERT_TRUE(stream->wait().ok());
  EXPECT_TRUE(run->is_done());
  EXPECT_EQ(to_floats((*run->wait())[0]), (Floats{3, 5, 7}));
}

// They follow each other on one stream, where what is between them is on the device.
TEST_F(QueuedRunTest, SeveralEnginesAreQueuedWhereNothingBetweenThemIsOnTheHost) {
  ir::Value* const between = call(input(), "1", 2, 1, "between");
  p.output(call(between, "1", 3, 0, "y"));
  p.device_of = kDescription.cuda_device;
  {
    const auto loaded = module();
    ASSERT_TRUE(loaded->method()->prepare().ok());
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(result(*loaded->method(), given, true), (Floats{9, 15, 21}));
    }
  }
  p.device_of = nullptr;
  const auto loaded = module();
  ASSERT_TRUE(loaded->method()->prepare().ok());
  EXPECT_EQ(result(*loaded->method(), given, false), (Floats{9, 15, 21}));
}

TEST_F(QueuedRunTest, StateOfTheDeviceIsQueuedWith) {
  cache_of_two_engines();
  for (const auto device_of : {kDescription.cuda_device, decltype(kDescription.cuda_device)()}) {
    p.device_of = device_of;
    const auto loaded = module();
    ASSERT_TRUE(loaded->method()->prepare().ok());
    for (const float add : {0.0F, 1000.0F, 2000.0F}) {
      EXPECT_EQ(result(*loaded->method(), {}, true), (Floats{100 + add, 200 + add, 300 + add}));
    }
    EXPECT_EQ(to_floats(loaded->method()->state()->at(0).second), (Floats{31, 32, 33}));
  }
}

TEST_F(QueuedRunTest, MethodsWithKernelsHaveAThread) {
  auto b = p.build();
  p.output(b.relu(call(input(), "1", 2, 1, "y")));
  const auto loaded = module();
  ASSERT_TRUE(loaded->method()->prepare().ok());
  EXPECT_EQ(result(*loaded->method(), given, false), (Floats{3, 5, 7}));
}

// Those of other programs work there, too.
TEST_F(QueuedRunTest, ScratchMemoryThatIsSharedIsWaitedFor) {
  more_ = "context 64\n";
  p.output(call(input(), "1", 2, 1, "y"));
  const auto loaded = module({.share_scratch = true});
  ASSERT_TRUE(loaded->method()->prepare().ok());
  EXPECT_EQ(result(*loaded->method(), given, false), (Floats{3, 5, 7}));
}

TEST_F(QueuedRunTest, ErrorsOfWorkAreGivenByWait) {
  p.output(call(input(), "1", 2, 1, "y"));
  const auto loaded = module();
  const auto method = loaded->method();
  ASSERT_TRUE(method->prepare().ok());
  auto run = method->run_async(given);
  ASSERT_TRUE(run.ok());
  driver.work_error = 719;  // CUDA_ERROR_LAUNCH_FAILED
  const auto failed = run->wait();
  driver.work_error = 0;
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(failed.error().message(),
              HasSubstr("forward of m.pte failed: TensorRT engine: work on cuda:0"));
  EXPECT_EQ(result(*method, given, true), (Floats{3, 5, 7}));

  tensorrt.refuses_run = true;
  auto refused = method->run_async(given);
  ASSERT_TRUE(refused.ok());
  EXPECT_FALSE(refused->wait().ok());
  tensorrt.refuses_run = false;
  EXPECT_EQ(result(*method, given, true), (Floats{3, 5, 7}));

  auto wrong = method->run_async(std::vector<Value>{floats({1, 2}, {1, 2})});
  ASSERT_TRUE(wrong.ok());
  EXPECT_EQ(wrong->wait().error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(QueuedRunTest, OneThatIsDroppedIsWaitedFor) {
  p.output(call(input(), "1", 2, 1, "y"));
  std::optional<PendingRun> kept;
  {
    const auto loaded = module();
    ASSERT_TRUE(loaded->method()->prepare().ok());
    static_cast<void>(loaded->method()->run_async(given));
    ASSERT_TRUE(loaded->method()->run(given).ok());
    kept = *loaded->method()->run_async(given);
  }
  EXPECT_EQ(to_floats((*kept->wait())[0]), (Floats{3, 5, 7}));
  kept.reset();
  EXPECT_EQ(driver.live_events, 0);
}

// That of a process, of all engines in it.
TEST_F(QueuedRunTest, ABudgetWaitsForIt) {
  more_ = "streamable 1000\n";
  p.output(call(input(), "1", 2, 1, "y"));
  const auto loaded = module();
  ASSERT_TRUE(loaded->method()->prepare().ok());
  auto run = loaded->method()->run_async(given);
  ASSERT_TRUE(run.ok());
  et::BackendOptions<1> options;
  ASSERT_EQ(options.set_option("weight_streaming_budget", 500), et::Error::Ok);
  ASSERT_EQ(et::set_option(kBackend, options.view()), et::Error::Ok);
  EXPECT_TRUE(run->is_done());
  EXPECT_EQ(tensorrt.budget, 500);
  EXPECT_EQ(to_floats((*run->wait())[0]), (Floats{3, 5, 7}));
}

}  // namespace
}  // namespace slipway::tensorrt
