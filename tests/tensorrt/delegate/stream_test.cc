// Engines on their caller's stream.
#include <dlfcn.h>
#include <optional>
#include <thread>

#include "slipway/cuda.h"
#include "tensorrt/delegate/delegate_test.h"

namespace slipway::tensorrt {
namespace {

using testing::HasSubstr;
using Floats = std::vector<float>;

class StreamTest : public DelegateTest {
 protected:
  // What an engine makes of numbers that work queued on `stream` brings to it, which the stand-in
  // for the driver does when that stream is waited for.
  Floats run_behind_work_on(void* stream) {
    DeviceFloats late({1, 2, 3});
    DeviceFloats in(Floats(3, 0));
    TestTensor x({1, 3}, {}, aten::ScalarType::Float, in.data());
    TestTensor y({1, 3});
    const auto current = device->make_current();
    const auto address = [](const DeviceFloats& floats) {
      return reinterpret_cast<cuda::Address>(floats.data());
    };
    EXPECT_EQ(device->driver().call().copy_on_device(address(in), address(late), 12, stream), 0);
    EXPECT_EQ(engine->run({&x, &y}), et::Error::Ok) << engine->log();
    EXPECT_EQ(device->driver().call().wait_for_stream(stream), 0);
    return y.floats();
  }

  // That an engine does not wait for it; a GPU may be faster.
  void expect_apart_from(void* stream) {
    if (driver.is_real) return;
    EXPECT_EQ(run_behind_work_on(stream), Floats(3, 1));
  }

  void TearDown() override {
    engine.reset();
    device.reset();
    DelegateTest::TearDown();
  }

  cuda::DevicePointer device = *cuda::Device::open(0);
  std::optional<Handle> engine{std::in_place,
                               blob_of(doubling_metadata(), stand_in_plan(kDoubling))};
  const Floats behind = {3, 5, 7};
};

TEST_F(StreamTest, WorkIsQueuedBehindTheCallers) {
  const auto stream = cuda::Stream::create(device);
  const auto other = cuda::Stream::create(device);
  ASSERT_TRUE(stream.ok() && other.ok());
  expect_apart_from(stream->handle());
  {
    const cuda::StreamGuard guard(stream->handle());
    EXPECT_EQ(run_behind_work_on(stream->handle()), behind);
    {
      const cuda::StreamGuard inner(other->handle());
      EXPECT_EQ(run_behind_work_on(other->handle()), behind);
    }
    EXPECT_EQ(run_behind_work_on(stream->handle()), behind);
  }
  expect_apart_from(stream->handle());
}

TEST_F(StreamTest, TheDefaultStreamIsOne) {
  const cuda::StreamGuard guard(nullptr);
  EXPECT_EQ(run_behind_work_on(nullptr), behind);
}

TEST_F(StreamTest, AGuardIsOneThreads) {
  const auto stream = cuda::Stream::create(device);
  ASSERT_TRUE(stream.ok());
  const cuda::StreamGuard guard(stream->handle());
  std::thread([&] { expect_apart_from(stream->handle()); }).join();
}

TEST_F(StreamTest, OneThatIsBeingCapturedIsRefused) {
  const auto stream = cuda::Stream::create(device);
  ASSERT_TRUE(stream.ok());
  TestTensor x({1, 3}, {1, 2, 3});
  TestTensor y({1, 3});
  {
    const cuda::StreamGuard guard(stream->handle());
    driver.captured = 1;
    const int runs = tensorrt.runs;
    EXPECT_EQ(engine->run({&x, &y}), et::Error::NotSupported);
    EXPECT_THAT(engine->log(), HasSubstr("the caller's stream is being captured"));
    EXPECT_EQ(tensorrt.runs, runs);
    driver.captured = 0;
  }
  EXPECT_EQ(engine->run({&x, &y}), et::Error::Ok) << engine->log();
}

TEST_F(StreamTest, ExecutorchsIsFoundByName) {
  void* const extension = ::dlopen(SLIPWAY_STAND_IN_EXTENSION, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(extension, nullptr) << ::dlerror();
  const auto choose =
      reinterpret_cast<void (*)(bool, void*)>(::dlsym(extension, "slipway_choose_stream"));
  const auto stream = cuda::Stream::create(device);
  const auto own = cuda::Stream::create(device);
  ASSERT_TRUE(stream.ok() && own.ok());
  // It is looked for when an engine is loaded.
  const Handle later(blob_of(doubling_metadata(), stand_in_plan(kDoubling)));
  expect_apart_from(stream->handle());
  choose(true, stream->handle());
  EXPECT_EQ(run_behind_work_on(stream->handle()), behind);
  {
    const cuda::StreamGuard guard(own->handle());
    EXPECT_EQ(run_behind_work_on(own->handle()), behind) << "ours comes first";
  }
  choose(true, nullptr);
  EXPECT_EQ(run_behind_work_on(nullptr), behind);
  choose(false, nullptr);
}

}  // namespace
}  // namespace slipway::tensorrt
