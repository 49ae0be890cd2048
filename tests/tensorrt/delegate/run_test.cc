// Engines that run: in every family, with dynamic shapes, on the host and on the device.
#include <cstring>
#include <thread>

#include "base/memory_limit_test.h"
#include "cuda/driver/memory.h"
#include "tensorrt/delegate/delegate_test.h"

namespace slipway::tensorrt {
namespace {

using testing::HasSubstr;
using Floats = std::vector<float>;
using Sizes = std::vector<int>;

class RunTest : public DelegateTest {};

TEST_F(RunTest, EnginesOfEveryFamilyRun) {
  for (const int version : {kT10, kT11, kRtx, 100000, 110500, 10500}) {
    use_version(version);
    Handle engine(doubling());
    ASSERT_EQ(engine.error(), et::Error::Ok) << version << engine.log();
    TestTensor x({2, 3}, {1, 2, 3, 4, 5, 6});
    TestTensor y({2, 3});
    ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << version << engine.log();
    EXPECT_EQ(y.floats(), (Floats{3, 5, 7, 9, 11, 13})) << version;
  }
}

TEST_F(RunTest, OutputsTakeTheSizesThatComeOut) {
  Handle engine(doubling());
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  for (const int rows : {1, 8, 2, 8}) {
    TestTensor x({rows, 3}, Floats(static_cast<size_t>(rows) * 3, 2));
    TestTensor y({8, 3});
    ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
    EXPECT_EQ(y.sizes(), (Sizes{rows, 3}));
    EXPECT_EQ(y.floats(), Floats(static_cast<size_t>(rows) * 3, 5));
  }
}

TEST_F(RunTest, NothingIsAllocatedAfterTheFirstCallOfAShape) {
  Handle engine(doubling());
  TestTensor x({4, 3}, Floats(12, 1));
  TestTensor y({8, 3});
  ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
  const int on_device = driver.allocations;
  const int pinned = driver.host_allocations;
  for (int i = 0; i < 100; ++i) {
    TestTensor smaller({1 + i % 4, 3}, Floats(12, 1));
    TestTensor result({8, 3});
    ASSERT_EQ(engine.run({&smaller, &result}), et::Error::Ok);
  }
  EXPECT_EQ(driver.allocations, on_device);
  EXPECT_EQ(driver.host_allocations, pinned);
}

TEST_F(RunTest, AThousandCallsTakeNoMemory) {
  et::BackendOption graphs{};
  std::strcpy(graphs.key, "use_cuda_graphs");
  graphs.value = true;
  driver.memory = SIZE_MAX;  // What the GPU itself says, where there is one.
  const auto device = *cuda::Device::open(0);
  const auto current = device->make_current();
  Handle plain(doubling());
  Handle with_graphs(doubling(), {}, {graphs});
  DeviceFloats there(Floats(24, 1));
  const auto call = [&](int i) {
    Handle& engine = i % 4 < 2 ? plain : with_graphs;
    TestTensor x({1 + i % 8, 3}, Floats(24, 1));
    TestTensor y({8, 3});
    TestTensor on_device({1 + i % 8, 3}, {}, aten::ScalarType::Float, there.data());
    ASSERT_EQ(engine.run({i % 2 == 0 ? &x : &on_device, &y}), et::Error::Ok) << engine.log();
  };
  for (int i = 0; i < 100; ++i) call(i);
  const std::string on_device = device->memory_text();
  const int64_t on_host = anonymous_size();
  for (int i = 0; i < 1000; ++i) call(i);
  EXPECT_EQ(device->memory_text(), on_device);
  // Sanitizers keep what is freed for a while.
  if (!kSanitized) {
    EXPECT_LT(anonymous_size(), on_host + (1 << 20));
  }
}

// More than a chunk of the memory that they are copied through, and more than all of it.
TEST_F(RunTest, LargeTensorsOfTheHostAreCopiedInChunks) {
  Metadata metadata;
  metadata.io_bindings = {{"x", "float32", {-1}, true}, {"y", "float32", {-1}, false}};
  Handle engine(blob_of(metadata, stand_in_plan("input x float32 1..100000000\noutput y x 2 1\n")));
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  constexpr size_t kChunk = cuda::Staging::kChunk / sizeof(float);
  const int before = driver.host_allocations;
  constexpr size_t kMost = cuda::Staging::kPinned / sizeof(float);
  for (const size_t count : {2 * kMost + 5, 2 * kChunk, 2 * kChunk + 1, kMost, 9 * kChunk - 1}) {
    Floats values(count);
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i % 1000003);
    const auto size = static_cast<aten::SizesType>(count);
    TestTensor x({size}, values);
    TestTensor y({size});
    ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
    const Floats got = y.floats();
    for (size_t i = 0; i < count; ++i) {
      ASSERT_EQ(got[i], 2 * values[i] + 1) << count << " numbers, at " << i;
    }
  }
  EXPECT_EQ(driver.host_allocations, before + 2) << "what is pinned does not grow with the tensor";
}

TEST_F(RunTest, TensorsOfTheDeviceAreBoundWhereTheyLie) {
  Handle engine(doubling());
  {
    DeviceFloats in({1, 2, 3, 4, 5, 6});
    DeviceFloats out(Floats(6, 0));
    TestTensor x({2, 3}, {}, aten::ScalarType::Float, in.data());
    TestTensor y({2, 3}, {}, aten::ScalarType::Float, out.data());
    const int copies = driver.copies_to_device + driver.copies_to_host;
    ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
    EXPECT_EQ(driver.copies_to_device + driver.copies_to_host, copies);
    EXPECT_EQ(tensorrt.first_address, reinterpret_cast<uint64_t>(in.data()));
    EXPECT_EQ(out.floats(), (Floats{3, 5, 7, 9, 11, 13}));

    // One on the host, one on the device.
    TestTensor host({2, 3}, {1, 1, 1, 1, 1, 1});
    ASSERT_EQ(engine.run({&host, &y}), et::Error::Ok) << engine.log();
    EXPECT_EQ(out.floats(), Floats(6, 3));
  }
  if (driver.devices < 2) return;
  DeviceFloats there(Floats(6, 0), 1);
  TestTensor x({2, 3}, {}, aten::ScalarType::Float, there.data());
  TestTensor y({2, 3});
  EXPECT_EQ(engine.run({&x, &y}), et::Error::InvalidArgument);
  EXPECT_THAT(engine.log(), HasSubstr("input 0 is on cuda:1, and the engine on cuda:0"));
}

TEST_F(RunTest, PinnedMemoryOfTheHostIsCopied) {
  Handle engine(doubling());
  cuda::PinnedBuffer memory(*cuda::Device::open(0));
  ASSERT_TRUE(memory.reserve(24).ok());
  const Floats values = {1, 2, 3};
  std::memcpy(memory.data(), values.data(), 12);
  TestTensor x({1, 3}, {}, aten::ScalarType::Float, memory.data());
  TestTensor y({1, 3}, {}, aten::ScalarType::Float, static_cast<float*>(memory.data()) + 3);
  const int pinned = driver.host_allocations;
  ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
  EXPECT_EQ(driver.host_allocations, pinned) << "it needs no other memory on the way";
  Floats got(3);
  std::memcpy(got.data(), y.tensor().const_data_ptr(), 12);
  EXPECT_EQ(got, (Floats{3, 5, 7}));
}

TEST_F(RunTest, WrongCallsAreRefusedAndTheEngineGoesOn) {
  Handle engine(doubling());
  const auto refused = [&](const std::vector<TestTensor*>& tensors, const std::string& why) {
    const int runs = tensorrt.runs;
    EXPECT_EQ(engine.run(tensors), et::Error::InvalidArgument) << why;
    EXPECT_THAT(engine.log(), HasSubstr(why));
    EXPECT_EQ(tensorrt.runs, runs);
  };
  TestTensor x({2, 3}, Floats(6, 1));
  TestTensor y({8, 3});
  refused({&x}, "TensorRT engine: it has 1 inputs and 1 outputs, and 1 values were given");
  refused({&x, &y, &y}, "and 3 values were given");
  TestTensor many({9, 3});
  refused({&many, &y},
          "input 0 has the sizes [9, 3], and the engine is for [1, 3] to [8, 3]: compile the model "
          "with the sizes that it is to serve (option 'profile')");
  TestTensor none({0, 3});
  refused({&none, &y}, "input 0 has the sizes [0, 3]");
  TestTensor wide({2, 4});
  refused({&wide, &y}, "input 0 must be float32[?, 3], contiguous, and float32[2, 4] was given");
  TestTensor flat({3});
  refused({&flat, &y}, "float32[3] was given");
  TestTensor integers({2, 3}, {}, aten::ScalarType::Long);
  refused({&integers, &y}, "input 0 must be float32[?, 3], contiguous, and int64[2, 3] was given");
  refused({&x, &integers}, "output 0 must be float32[?, 3]");
  et::EValue number(int64_t{3});
  EXPECT_EQ(engine.LoadedEngine::run({&number, y.value()}), et::Error::InvalidArgument);
  EXPECT_THAT(engine.log(), HasSubstr("input 0 must be a tensor"));
  TestTensor small({1, 3});
  EXPECT_NE(engine.run({&x, &small}), et::Error::Ok);
  EXPECT_THAT(engine.log(), HasSubstr("output 0 is float32[2, 3], which does not fit its memory"));
  ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
  EXPECT_EQ(y.floats(), Floats(6, 3));
}

TEST_F(RunTest, TensorsWithoutElementsAreRun) {
  Metadata metadata = doubling_metadata();
  const std::string plan = "input x float32 0..8 3\noutput y x 2 1\n";
  Handle engine(blob_of(metadata, stand_in_plan(plan)));
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  TestTensor x({0, 3});
  TestTensor y({8, 3});
  const int copies = driver.copies_to_device + driver.copies_to_host;
  ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
  EXPECT_EQ(y.sizes(), (Sizes{0, 3}));
  EXPECT_EQ(driver.copies_to_device + driver.copies_to_host, copies);
}

TEST_F(RunTest, OutputsWithoutDimensionsStaySo) {
  Metadata metadata;
  metadata.io_bindings = {{"x", "int64", {}, true}, {"y", "int64", {}, false}};
  Handle engine(blob_of(metadata, stand_in_plan("input x int64\noutput y x 3 4\n")));
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  int64_t in = 5;
  int64_t out = 0;
  TestTensor x({}, {}, aten::ScalarType::Long, &in);
  TestTensor y({}, {}, aten::ScalarType::Long, &out);
  ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
  EXPECT_EQ(out, 19);
  EXPECT_EQ(y.sizes(), Sizes());
}

// By position in the blob, whatever the order in the plan.
TEST_F(RunTest, SeveralInputsAndOutputsAreBoundByTheBlob) {
  Metadata metadata;
  metadata.io_bindings = {{"b", "float32", {2}, true},
                          {"a", "float32", {2}, true},
                          {"twice_b", "float32", {2}, false},
                          {"a_less", "float32", {2}, false}};
  Handle engine(blob_of(metadata, stand_in_plan("input a float32 2\ninput b float32 2\n"
                                                "output a_less a 1 -1\noutput twice_b b 2 0\n")));
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  TestTensor b({2}, {10, 20});
  TestTensor a({2}, {1, 2});
  TestTensor twice_b({2});
  TestTensor a_less({2});
  ASSERT_EQ(engine.run({&b, &a, &twice_b, &a_less}), et::Error::Ok) << engine.log();
  EXPECT_EQ(twice_b.floats(), (Floats{20, 40}));
  EXPECT_EQ(a_less.floats(), (Floats{0, 1}));
}

TEST_F(RunTest, WithoutBindingsThePlansNamesHaveTheOrder) {
  const std::string lines =
      "input x.input_1 float32 2\ninput input.0 float32 2\n"
      "output output_1 x.input_1 1 0\noutput output_0 input.0 2 0\n";
  Handle engine(blob_of({}, stand_in_plan(lines)));
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  TestTensor first({2}, {1, 2});
  TestTensor second({2}, {10, 20});
  TestTensor out_0({2});
  TestTensor out_1({2});
  ASSERT_EQ(engine.run({&first, &second, &out_0, &out_1}), et::Error::Ok) << engine.log();
  EXPECT_EQ(out_0.floats(), (Floats{2, 4}));
  EXPECT_EQ(out_1.floats(), (Floats{10, 20}));
}

TEST_F(RunTest, ThreadsLoadAndRunAtOnce) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([thread] {
      for (int load = 0; load < 10; ++load) {
        Handle engine(doubling());
        ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
        for (int i = 0; i < 20; ++i) {
          const auto value = static_cast<float>(thread * 100 + i);
          TestTensor x({1 + i % 8, 3}, Floats(24, value));
          TestTensor y({8, 3});
          ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
          EXPECT_EQ(y.floats()[0], 2 * value + 1);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

class AliasTest : public RunTest {
 protected:
  static std::string blob() {
    Metadata metadata = doubling_metadata();
    metadata.aliased_io = {{"y", "x", "kv_cache_update"}};
    return blob_of(metadata, stand_in_plan(kDoubling));
  }
};

TEST_F(AliasTest, OnTheHostTheOutputHasItsValueAfterwards) {
  Handle engine(blob());
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  TestTensor cache({1, 3}, {1, 2, 3});
  ASSERT_EQ(engine.run({&cache, &cache}), et::Error::Ok) << engine.log();
  EXPECT_EQ(cache.floats(), (Floats{3, 5, 7}));
  TestTensor apart({1, 3});
  ASSERT_EQ(engine.run({&cache, &apart}), et::Error::Ok) << engine.log();
  EXPECT_EQ(apart.floats(), (Floats{7, 11, 15}));
}

TEST_F(AliasTest, OnTheDeviceItIsTheInputsMemory) {
  Handle engine(blob());
  DeviceFloats cache(Floats(3, 1));
  DeviceFloats apart(Floats(3, 0));
  TestTensor x({1, 3}, {}, aten::ScalarType::Float, cache.data());
  const auto copies = [&] { return driver.copies_to_device + driver.copies_to_host; };
  int before = copies();
  ASSERT_EQ(engine.run({&x, &x}), et::Error::Ok) << engine.log();
  EXPECT_EQ(copies(), before);
  EXPECT_EQ(cache.floats(), Floats(3, 3));
  // Given other memory, the output has the same value, and the input is written all the same.
  TestTensor y({1, 3}, {}, aten::ScalarType::Float, apart.data());
  before = copies();
  ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
  EXPECT_EQ(copies(), before);
  EXPECT_EQ(cache.floats(), Floats(3, 7));
  EXPECT_EQ(apart.floats(), Floats(3, 7));
  TestTensor host({1, 3});
  ASSERT_EQ(engine.run({&x, &host}), et::Error::Ok) << engine.log();
  EXPECT_EQ(host.floats(), Floats(3, 15));
}

// A part of another tensor, where TensorRT takes none: it is copied on the device.
TEST_F(AliasTest, MemoryOfTheDeviceThatIsNotAligned) {
  DeviceFloats memory({0, 1, 2, 3, 0, 0, 0, 0});
  auto* const floats = static_cast<float*>(memory.data());
  TestTensor x({1, 3}, {}, aten::ScalarType::Float, floats + 1);
  TestTensor y({1, 3}, {}, aten::ScalarType::Float, floats + 5);
  const int copies = driver.copies_to_device + driver.copies_to_host;
  {
    Handle engine(blob_of(doubling_metadata(), stand_in_plan(kDoubling)));
    ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
    EXPECT_EQ(tensorrt.first_address % 256, 0u);
    EXPECT_EQ(driver.copies_to_device + driver.copies_to_host, copies);
    EXPECT_EQ(memory.floats(), (Floats{0, 1, 2, 3, 0, 3, 5, 7}));
  }
  Handle engine(blob());
  ASSERT_EQ(engine.run({&x, &x}), et::Error::Ok) << engine.log();
  EXPECT_EQ(tensorrt.first_address % 256, 0u);
  EXPECT_EQ(memory.floats(), (Floats{0, 3, 5, 7, 0, 3, 5, 7}));
  ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
  EXPECT_EQ(memory.floats(), (Floats{0, 7, 11, 15, 0, 7, 11, 15}));
  TestTensor host({1, 3});
  ASSERT_EQ(engine.run({&x, &host}), et::Error::Ok) << engine.log();
  EXPECT_EQ(host.floats(), (Floats{15, 23, 31}));
  EXPECT_EQ(memory.floats(), (Floats{0, 15, 23, 31, 0, 7, 11, 15}));
}

// As Torch-TensorRT calls an engine whose caches it leaves out of the results.
TEST_F(AliasTest, AnOutputInTheMemoryOfAnInputMayBeLeftOut) {
  Metadata metadata;
  metadata.io_bindings = {{"x", "float32", {3}, true},
                          {"cache", "float32", {3}, true},
                          {"written", "float32", {3}, false},
                          {"y", "float32", {3}, false}};
  metadata.aliased_io = {{"written", "cache", "kv_cache_update"}};
  Handle engine(blob_of(metadata, stand_in_plan("input x float32 3\ninput cache float32 3\n"
                                                "output written cache 1 10\noutput y x 2 1\n")));
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  DeviceFloats memory(Floats(3, 1));
  TestTensor x({3}, {1, 2, 3});
  TestTensor cache({3}, {}, aten::ScalarType::Float, memory.data());
  TestTensor host({3}, {1, 2, 3});
  TestTensor y({3});
  for (int i = 0; i < 3; ++i) {
    const int copies = driver.copies_to_device + driver.copies_to_host;
    ASSERT_EQ(engine.run({&x, &cache, &y}), et::Error::Ok) << engine.log();
    EXPECT_EQ(driver.copies_to_device + driver.copies_to_host, copies + 2) << "x and y";
    EXPECT_EQ(y.floats(), (Floats{3, 5, 7}));
  }
  EXPECT_EQ(memory.floats(), Floats(3, 31));
  ASSERT_EQ(engine.run({&x, &host, &y}), et::Error::Ok) << engine.log();
  EXPECT_EQ(host.floats(), (Floats{11, 12, 13}));
  EXPECT_EQ(engine.run({&x, &cache}), et::Error::InvalidArgument);
  EXPECT_THAT(engine.log(), HasSubstr("and 2 values were given"));
  EXPECT_EQ(engine.run({&x, &cache, &y, &y, &y}), et::Error::InvalidArgument);
}

TEST_F(RunTest, FailuresOfARunAreErrorsAndTheNextCallRuns) {
  Handle engine(doubling());
  TestTensor x({1, 3}, {1, 2, 3});
  TestTensor y({1, 3});
  tensorrt.refuses_run = true;
  EXPECT_EQ(engine.run({&x, &y}), et::Error::Internal);
  EXPECT_THAT(engine.log(), HasSubstr("TensorRT 11.1.0 does not run the engine: stand-in: told not "
                                      "to run"));
  tensorrt.refuses_run = false;
  driver.work_error = 700;
  EXPECT_EQ(engine.run({&x, &y}), et::Error::Internal);
  EXPECT_THAT(engine.log(), HasSubstr("CUDA_ERROR_ILLEGAL_ADDRESS"));
  ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
  EXPECT_EQ(y.floats(), (Floats{3, 5, 7}));
}

// The stand-in takes a microsecond for each element.
TEST_F(RunTest, TellsHowLongEachLayerTookWhereItIsProfiled) {
  et::BackendOption graphs{};
  std::strcpy(graphs.key, "use_cuda_graphs");
  graphs.value = true;
  for (const int version : {kT10, kT11, kRtx}) {
    use_version(version);
    Handle engine(doubling(), {}, {graphs});
    ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
    TestTensor x({2, 3}, Floats(6, 1));
    TestTensor y({8, 3});
    const int launches = driver.graph_launches;
    for (int i = 0; i < 3; ++i) {
      delegate::LayerList layers;
      ASSERT_EQ(engine.run({&x, &y}, &layers), et::Error::Ok) << engine.log();
      EXPECT_EQ(y.floats(), Floats(6, 3));
      EXPECT_THAT(layers.told, testing::ElementsAre("affine y () 6000")) << version;
    }
    EXPECT_EQ(driver.graph_launches, launches);
  }
}

// TensorRT-RTX takes a profiler off no context.
TEST_F(RunTest, AContextThatWasProfiledIsNotForOtherRuns) {
  Handle engine(doubling());
  TestTensor x({1, 3}, Floats(3, 1));
  TestTensor y({1, 3});
  const int profiled = tensorrt.profiled_runs;
  const auto run = [&](et::EventTracer* tracer) {
    ASSERT_EQ(engine.run({&x, &y}, tracer), et::Error::Ok) << engine.log();
    EXPECT_EQ(y.floats(), Floats(3, 3));
    EXPECT_EQ(tensorrt.live_contexts, 1);
  };
  delegate::LayerList layers;
  run(nullptr);
  EXPECT_EQ(tensorrt.profiled_runs, profiled);
  run(&layers);
  EXPECT_EQ(tensorrt.profiled_runs, profiled + 1);
  run(nullptr);
  EXPECT_EQ(tensorrt.profiled_runs, profiled + 1);
  run(&layers);
  EXPECT_EQ(layers.told.size(), 2u);
}

TEST_F(RunTest, MemoryThatACallLacksIsSaid) {
  Handle engine(doubling());
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  driver.memory = driver.used + 20;
  TestTensor x({8, 3}, Floats(24, 1));
  TestTensor y({8, 3});
  EXPECT_EQ(engine.run({&x, &y}), et::Error::MemoryAllocationFailed);
  EXPECT_THAT(engine.log(), HasSubstr("no memory of 96 bytes for cuda:0"));
  EXPECT_THAT(engine.log(), HasSubstr("free=20, total="));
  driver.memory = size_t{1} << 30;
  ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
  EXPECT_EQ(y.floats(), Floats(24, 3));
}

}  // namespace
}  // namespace slipway::tensorrt
