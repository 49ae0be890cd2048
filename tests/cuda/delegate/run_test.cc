// Engines of generated kernels that run: static and dynamic sizes, on the host and on the device.
#include <thread>

#include "cuda/delegate/delegate_test.h"

namespace slipway::cuda {
namespace {

using testing::HasSubstr;
using TensorSizes = std::vector<int>;

class CudaRun : public CudaDelegateTest {};

TEST_F(CudaRun, KernelsComputeWhatTheyAreGiven) {
  Handle engine(affine().blob());
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  TestTensor x({2, 3}, {1, 2, 3, 4, 5, 6});
  TestTensor y({2, 3}, Floats(6));
  ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
  EXPECT_EQ(y.data(), (Floats{4, 42, 602, 10, 102, 1202}));
}

TEST_F(CudaRun, SizesMayDifferInEachCallAndOutputsFollow) {
  Handle engine(affine().blob());
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  for (const int rows : {1, 50, 0, 7, 50, 2, 3, 4, 5, 6, 8, 9, 50}) {
    TestTensor x({rows, 3}, Floats(static_cast<size_t>(rows) * 3, 2));
    TestTensor y({50, 3}, Floats(150));
    ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
    EXPECT_EQ(y.sizes(), (TensorSizes{rows, 3}));
    for (int i = 0; i < rows; ++i) {
      const auto* const row = y.data().data() + i * 3;
      ASSERT_EQ(Floats(row, row + 3), (Floats{6, 42, 402})) << rows << " " << i;
    }
  }
}

TEST_F(CudaRun, NothingIsAllocatedAfterTheFirstCallOfAShape) {
  Handle engine(affine().blob());
  TestTensor x({40, 3}, Floats(120, 1));
  TestTensor y({40, 3}, Floats(120));
  ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
  const int on_device = driver.allocations;
  const int pinned = driver.host_allocations;
  for (int i = 0; i < 100; ++i) {
    TestTensor smaller({1 + i % 4, 3}, Floats(12, 1));
    ASSERT_EQ(engine.run({&smaller, &y}), et::Error::Ok);
  }
  EXPECT_EQ(driver.allocations, on_device);
  EXPECT_EQ(driver.host_allocations, pinned);
}

TEST_F(CudaRun, TensorsOfTheDeviceAreBoundWhereTheyLie) {
  Handle engine(affine().blob());
  DeviceFloats given({1, 2, 3});
  DeviceFloats taken(Floats(3));
  const int up = driver.copies_to_device;
  const int down = driver.copies_to_host;
  TestTensor x({1, 3}, {}, aten::ScalarType::Float, false, given.data());
  TestTensor y({1, 3}, {}, aten::ScalarType::Float, false, taken.data());
  ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
  EXPECT_EQ(driver.copies_to_device, up);
  EXPECT_EQ(driver.copies_to_host, down);
  EXPECT_EQ(taken.floats(), (Floats{4, 42, 602}));
}

// y = 2 x, and z = x + 1, which is read after y was written.
TEST_F(CudaRun, AnOutputMayLieOverAnInput) {
  EngineMaker maker;
  const uint32_t three = maker.number(3);
  const uint32_t bytes = maker.number(12);
  const uint32_t one = maker.number(1);
  maker.input({three});
  maker.output({three});
  maker.output({three});
  const uint32_t x = maker.buffer(table::Home::Input, bytes);
  const uint32_t y = maker.buffer(table::Home::Output, bytes);
  const uint32_t z = maker.buffer(table::Home::Output, bytes, 1);
  maker.launch({"twice", one, 3, {x}, {y}, {}, "", 0});
  maker.launch({"more", one, 3, {x}, {z}, {}, "", 0});
  maker.images = {{"compute_10", R"(
extern "C" __global__ void twice(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x] * 2; }
extern "C" __global__ void more(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x] + 1; }
)"}};
  for (const bool with_graphs : {false, true}) {
    Handle engine(maker.blob(), {}, {graphs_option(with_graphs)});
    DeviceFloats state({1, 2, 3});
    TestTensor on_device({3}, {}, aten::ScalarType::Float, false, state.data());
    TestTensor on_host({3}, {1, 2, 3});
    TestTensor result({3}, Floats(3));
    Floats expected = {1, 2, 3};
    for (int run = 0; run < 4; ++run) {
      Floats more = expected;
      for (float& number : more) ++number;
      for (float& number : expected) number *= 2;
      ASSERT_EQ(engine.run({&on_device, &on_device, &result}), et::Error::Ok) << engine.log();
      EXPECT_EQ(result.data(), more);
      ASSERT_EQ(engine.run({&on_host, &on_host, &result}), et::Error::Ok) << engine.log();
      EXPECT_EQ(result.data(), more);
      EXPECT_EQ(on_host.data(), expected);
    }
    EXPECT_EQ(state.floats(), expected);
  }
}

TEST_F(CudaRun, TensorsOfAnotherDeviceAreRefused) {
  if (driver.devices < 2) GTEST_SKIP() << "it takes two GPUs";
  Handle engine(affine().blob());
  DeviceFloats given({1, 2, 3}, 1);
  TestTensor x({1, 3}, {}, aten::ScalarType::Float, false, given.data());
  TestTensor y({1, 3}, Floats(3));
  EXPECT_EQ(engine.run({&x, &y}), et::Error::InvalidArgument);
  EXPECT_THAT(engine.log(), HasSubstr("input 0 is on cuda:1, and the engine on cuda:0"));
}

TEST_F(CudaRun, WrongArgumentsAreNamed) {
  Handle engine(affine().blob());
  TestTensor x({2, 3}, Floats(6));
  TestTensor y({2, 3}, Floats(6));
  EXPECT_EQ(engine.run({&x}), et::Error::InvalidArgument);
  EXPECT_THAT(engine.log(), HasSubstr("1 inputs and 1 outputs"));
  TestTensor ints({2, 3}, Floats(6), aten::ScalarType::Int);
  EXPECT_EQ(engine.run({&ints, &y}), et::Error::InvalidArgument);
  TestTensor wide({2, 4}, Floats(8));
  EXPECT_EQ(engine.run({&wide, &y}), et::Error::InvalidArgument);
  EXPECT_THAT(engine.log(), HasSubstr("float32[?, 3]"));
  EXPECT_EQ(engine.run({&x, &y}), et::Error::Ok) << "later calls are as if there had been none";
}

TEST_F(CudaRun, SizesThatInputsShareAreHeld) {
  EngineMaker maker;
  const uint32_t rows = maker.number(table::NumberKind::Dimension, 0, 0);
  const uint32_t twice = maker.number(table::NumberKind::Multiply, rows, maker.number(2));
  maker.input({rows});
  maker.input({twice});
  maker.output({rows});
  const uint32_t bytes = maker.number(table::NumberKind::Multiply, rows, maker.number(4));
  maker.copy(maker.buffer(table::Home::Input, bytes, 1), maker.buffer(table::Home::Output, bytes),
             bytes);
  Handle engine(maker.blob());
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  TestTensor x({2}, {1, 2});
  TestTensor z({4}, {3, 4, 5, 6});
  TestTensor y({2}, Floats(2));
  ASSERT_EQ(engine.run({&x, &z, &y}), et::Error::Ok) << engine.log();
  EXPECT_EQ(y.data(), (Floats{3, 4}));
  TestTensor wrong({3}, Floats(3));
  EXPECT_EQ(engine.run({&x, &wrong, &y}), et::Error::InvalidArgument);
  EXPECT_THAT(engine.log(), HasSubstr("input 1 has the sizes [3], and dimension 0 must be 4"));
}

// y = arange(n), whose size is a number that the call gives.
EngineMaker arange() {
  EngineMaker maker;
  maker.input({}, kLong);
  const uint32_t n = maker.number(table::NumberKind::Element, 0, 0);
  maker.output({n});
  const uint32_t bytes = maker.number(table::NumberKind::Multiply, n, maker.number(4));
  maker.launch({"fill", n, 1, {}, {maker.buffer(table::Home::Output, bytes)}, {}, "", 0});
  maker.images = {{"compute_10", R"(
extern "C" __global__ void fill(float* y) { y[blockIdx.x] = blockIdx.x; }
)"}};
  return maker;
}

TEST_F(CudaRun, ElementsOfInputsAreSizes) {
  Handle engine(arange().blob());
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  int64_t n = 3;
  TestTensor count({}, {}, aten::ScalarType::Long, false, &n);
  TestTensor y({5}, Floats(5, -1));
  ASSERT_EQ(engine.run({&count, &y}), et::Error::Ok) << engine.log();
  EXPECT_EQ(y.sizes(), (TensorSizes{3}));
  EXPECT_EQ(y.data(), (Floats{0, 1, 2, -1, -1}));
  n = 4;
  ASSERT_EQ(engine.run({&count, &y}), et::Error::Ok) << engine.log();
  EXPECT_EQ(y.data(), (Floats{0, 1, 2, 3, -1}));
  n = 6;
  EXPECT_NE(engine.run({&count, &y}), et::Error::Ok) << "there is no room";
  for (const int64_t wrong : {int64_t{-1}, int64_t{1} << 40, INT64_MAX}) {
    n = wrong;
    EXPECT_EQ(engine.run({&count, &y}), et::Error::InvalidArgument) << wrong;
    EXPECT_THAT(engine.log(), HasSubstr("the sizes of the inputs"));
  }
}

TEST_F(CudaRun, ElementsOnTheDeviceAreReadToo) {
  Handle engine(arange().blob());
  const int64_t n = 2;
  Floats bits(2);
  std::memcpy(bits.data(), &n, sizeof n);
  DeviceFloats there(bits);
  TestTensor count({}, {}, aten::ScalarType::Long, false, there.data());
  TestTensor y({2}, Floats(2, -1));
  ASSERT_EQ(engine.run({&count, &y}), et::Error::Ok) << engine.log();
  EXPECT_EQ(y.data(), (Floats{0, 1}));
}

// What is outside of [0, 3) is an error with this text.
EngineMaker checked() {
  EngineMaker maker;
  const uint32_t two = maker.number(2);
  const uint32_t bytes = maker.number(8);
  maker.input({two});
  maker.output({two});
  maker.engine.flags = {"an index is too large", "an index is below 0"};
  maker.launch({"check",
                maker.number(1),
                2,
                {maker.buffer(table::Home::Input, bytes)},
                {maker.buffer(table::Home::Output, bytes), maker.buffer(table::Home::Flags, bytes)},
                {},
                "",
                0});
  maker.images = {{"compute_10", R"(
extern "C" __global__ void check(const float* x, float* y, int* flags) {
  const int i = threadIdx.x;
  if (x[i] >= 3) flags[0] = 1;
  if (x[i] < 0) flags[1] = 1;
  y[i] = x[i];
}
)"}};
  return maker;
}

TEST_F(CudaRun, FlagsAreErrorsOfTheirCallAlone) {
  for (const bool with_graphs : {false, true}) {
    Handle engine(checked().blob(), {}, {graphs_option(with_graphs)});
    ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
    TestTensor x({2}, {0, 2});
    TestTensor y({2}, Floats(2));
    for (int i = 0; i < 3; ++i) {
      x.set({0, 2});
      ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
      x.set({0, 3});
      EXPECT_EQ(engine.run({&x, &y}), et::Error::InvalidArgument);
      EXPECT_THAT(engine.log(), HasSubstr("an index is too large"));
      x.set({-1, 1});
      EXPECT_EQ(engine.run({&x, &y}), et::Error::InvalidArgument);
      EXPECT_THAT(engine.log(), HasSubstr("an index is below 0"));
    }
  }
}

TEST_F(CudaRun, ThreadsOfABlockWaitForEachOther) {
  EngineMaker maker;
  const uint32_t n = maker.number(table::NumberKind::Dimension, 0, 0);
  const uint32_t bytes = maker.number(table::NumberKind::Multiply, n, maker.number(4));
  const uint32_t four = maker.number(4);
  maker.input({n});
  maker.output({maker.number(1)});
  maker.launch({"sum",
                maker.number(1),
                128,
                {maker.buffer(table::Home::Input, bytes)},
                {maker.buffer(table::Home::Output, four)},
                {n},
                "",
                64 << 10});
  maker.images = {{"compute_10", R"(
extern "C" __global__ void sum(const float* x, float* y, long long n) {
  __shared__ float parts[4];
  extern __shared__ float all[];
  float s = 0;
  for (long long i = threadIdx.x; i < n; i += blockDim.x) s += x[i];
  all[threadIdx.x] = s;
  __syncthreads();
  s = all[blockDim.x - 1 - threadIdx.x];
  for (int d = 16; d > 0; d /= 2) s += __shfl_down_sync(0xffffffffu, s, d);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = s;
  __syncthreads();
  if (threadIdx.x == 0) y[0] = parts[0] + parts[1] + parts[2] + parts[3];
}
)"}};
  Handle engine(maker.blob());
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  Floats values(1000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  TestTensor x({1000}, values);
  TestTensor y({1}, Floats(1));
  ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
  EXPECT_EQ(y.data(), (Floats{499500}));
}

TEST_F(CudaRun, EnginesOfTwoThreadsRunAtOnce) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 2; ++thread) {
    threads.emplace_back([thread] {
      Handle engine(affine().blob());
      for (int i = 0; i < 50; ++i) {
        const auto value = static_cast<float>(thread * 100 + i);
        TestTensor x({1, 3}, {value, value, value});
        TestTensor y({1, 3}, Floats(3));
        ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
        ASSERT_EQ(y.data().at(0), (value + 1) * 2);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// The stand-in takes a millisecond for each block of a kernel: of 32 elements here.
TEST_F(CudaRun, TellsHowLongEachStepTookWhereItIsProfiled) {
  EngineMaker maker = affine();
  const auto between = maker.engine.steps[0].AsLaunch()->writes[0];
  const uint32_t unused = maker.buffer(table::Home::Scratch, maker.engine.buffers[between]->bytes);
  maker.copy(between, unused, maker.engine.buffers[between]->bytes);
  Handle engine(maker.blob(), {}, {graphs_option()});
  TestTensor y({40, 3}, Floats(120));
  const int graphs = driver.graph_launches;
  for (const int rows : {40, 40, 40, 10, 0}) {
    TestTensor x({rows, 3}, Floats(static_cast<size_t>(rows) * 3, 1));
    delegate::LayerList layers;
    ASSERT_EQ(engine.run({&x, &y}, &layers), et::Error::Ok) << engine.log();
    EXPECT_EQ(y.data().at(0), 4) << "where there is one, and the last one's without";
    ASSERT_EQ(layers.told.size(), 3u);
    if (driver.is_real) continue;
    const std::string blocks = std::to_string((rows * 3 + 31) / 32);
    const std::string time = blocks == "0" ? "0" : blocks + "000000";
    EXPECT_THAT(layers.told, testing::ElementsAre("aten.mul.Tensor (scale) " + time,
                                                  "aten.add.Tensor (shift) " + time,
                                                  "copy (copy on the device) 0"));
  }
  EXPECT_EQ(driver.graph_launches, graphs) << "a graph would be one time";
  const int events = driver.live_events;
  for (int i = 0; i < 3; ++i) {
    TestTensor x({40, 3}, Floats(120, 1));
    ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
  }
  EXPECT_EQ(driver.graph_launches, graphs + 2) << "other runs are as ever";
  EXPECT_EQ(driver.live_events, events);
}

TEST_F(CudaRun, ErrorsOfTheWorkAreTheCalls) {
  Handle engine(affine().blob());
  TestTensor x({1, 3}, Floats(3));
  TestTensor y({1, 3}, Floats(3));
  driver.work_error = 700;
  EXPECT_EQ(engine.run({&x, &y}), et::Error::Internal);
  EXPECT_THAT(engine.log(), HasSubstr("CUDA_ERROR_ILLEGAL_ADDRESS"));
}

}  // namespace
}  // namespace slipway::cuda
