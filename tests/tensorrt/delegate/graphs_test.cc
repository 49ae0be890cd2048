// Engines that run as CUDA graphs: when, of what, and when not.
#include <memory>
#include <vector>

#include "slipway/cuda.h"
#include "tensorrt/delegate/delegate_test.h"

namespace slipway::tensorrt {
namespace {

using testing::HasSubstr;
using Floats = std::vector<float>;

et::BackendOption graphs_option(bool value, const char* key = "use_cuda_graphs") {
  et::BackendOption option{};
  std::strncpy(option.key, key, sizeof option.key - 1);
  option.value = value;
  return option;
}

class GraphsTest : public DelegateTest {
 protected:
  // From one row to twenty.
  static std::string blob(Metadata metadata = doubling_metadata(), const std::string& more = "") {
    return blob_of(metadata, stand_in_plan("input x float32 1..20 3\noutput y x 2 1\n" + more));
  }
  static Handle with_graphs(const std::string& blob) {
    return Handle(blob, {}, {graphs_option(true)});
  }
  // A call on tensors of the host that are new, with a value of its own.
  void call(Handle& engine, int rows = 2) {
    const auto value = static_cast<float>(++calls);
    const auto count = static_cast<size_t>(rows) * 3;
    TestTensor x({rows, 3}, Floats(count, value));
    TestTensor y({20, 3});
    ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
    EXPECT_EQ(y.floats(), Floats(count, 2 * value + 1));
  }
  // What `work` adds to: graphs that are made, and runs of them.
  template <class Work>
  std::pair<int, int> made_and_launched(const Work& work) {
    const int graphs = driver.graphs;
    const int launches = driver.graph_launches;
    work();
    return {driver.graphs - graphs, driver.graph_launches - launches};
  }

  int calls = 0;
};
using Counts = std::pair<int, int>;

TEST_F(GraphsTest, TheSecondCallOfAShapeIsRecorded) {
  Handle engine = with_graphs(blob());
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  const int runs = tensorrt.runs;
  EXPECT_EQ(made_and_launched([&] { call(engine); }), Counts(0, 0));
  EXPECT_EQ(made_and_launched([&] { call(engine); }), Counts(1, 1));
  EXPECT_EQ(made_and_launched([&] {
              for (int i = 0; i < 5; ++i) call(engine);
            }),
            Counts(0, 5));
  EXPECT_EQ(tensorrt.runs, runs + 2) << "TensorRT is asked for the first, and to be recorded";
  // Another shape has a graph of its own, and those of the shapes before are gone: TensorRT's
  // context has changed under them.
  EXPECT_EQ(made_and_launched([&] {
              for (const int rows : {1, 1, 2, 1, 1, 1}) call(engine, rows);
            }),
            Counts(2, 3));
}

TEST_F(GraphsTest, WithoutTheOptionThereAreNone) {
  Handle engine(blob());
  EXPECT_EQ(made_and_launched([&] {
              for (int i = 0; i < 4; ++i) call(engine);
            }),
            Counts(0, 0));
}

// Of one shape, by the addresses of tensors of the GPU.
TEST_F(GraphsTest, TheLatestOnesAreKept) {
  Handle engine = with_graphs(blob());
  DeviceFloats out(Floats(3, 0));
  TestTensor y({1, 3}, {}, aten::ScalarType::Float, out.data());
  std::vector<std::unique_ptr<DeviceFloats>> inputs;
  for (int i = 0; i < 20; ++i) inputs.push_back(std::make_unique<DeviceFloats>(Floats(3, 1)));
  const auto run = [&](size_t i) {
    TestTensor x({1, 3}, {}, aten::ScalarType::Float, inputs[i]->data());
    ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
  };
  for (size_t i = inputs.size(); i-- > 0;) {
    run(i);
    run(i);
    EXPECT_LE(driver.live_graphs, 8);
  }
  EXPECT_EQ(driver.live_graphs, 8);
  EXPECT_EQ(made_and_launched([&] { run(7); }), Counts(0, 1));
  EXPECT_EQ(made_and_launched([&] { run(8); }), Counts(0, 0)) << "it was forgotten";
}

// Memory that tensors of the host are copied to is another one once a larger one came.
TEST_F(GraphsTest, ALargerTensorNeedsNewOnes) {
  Handle engine = with_graphs(blob());
  for (const int rows : {2, 2, 20, 20, 2, 2, 20}) call(engine, rows);
}

TEST_F(GraphsTest, TensorsOfTheDeviceAreTheGraphs) {
  Handle engine = with_graphs(blob());
  DeviceFloats first({1, 2, 3});
  DeviceFloats second({4, 5, 6});
  DeviceFloats out(Floats(3, 0));
  TestTensor y({1, 3}, {}, aten::ScalarType::Float, out.data());
  const auto run = [&](DeviceFloats& in) {
    TestTensor x({1, 3}, {}, aten::ScalarType::Float, in.data());
    const int copies = driver.copies_to_device + driver.copies_to_host;
    ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
    EXPECT_EQ(driver.copies_to_device + driver.copies_to_host, copies);
  };
  EXPECT_EQ(made_and_launched([&] {
              for (int i = 0; i < 3; ++i) run(first);
            }),
            Counts(1, 2));
  EXPECT_EQ(out.floats(), (Floats{3, 5, 7}));
  // Others are not read from the first ones' memory.
  EXPECT_EQ(made_and_launched([&] { run(second); }), Counts(0, 0));
  EXPECT_EQ(out.floats(), (Floats{9, 11, 13}));
  EXPECT_EQ(made_and_launched([&] { run(second); }), Counts(1, 1));
  EXPECT_EQ(out.floats(), (Floats{9, 11, 13}));
  EXPECT_EQ(made_and_launched([&] { run(first); }), Counts(0, 1));
  EXPECT_EQ(out.floats(), (Floats{3, 5, 7}));
}

TEST_F(GraphsTest, AnAliasIsWrittenInPlace) {
  Metadata metadata = doubling_metadata();
  metadata.aliased_io = {{"y", "x", "kv_cache_update"}};
  Handle engine = with_graphs(blob(metadata));
  DeviceFloats cache(Floats(3, 1));
  TestTensor x({1, 3}, {}, aten::ScalarType::Float, cache.data());
  EXPECT_EQ(made_and_launched([&] {
              for (int i = 0; i < 4; ++i) {
                ASSERT_EQ(engine.run({&x, &x}), et::Error::Ok) << engine.log();
              }
            }),
            Counts(1, 3));
  EXPECT_EQ(cache.floats(), Floats(3, 31));
}

TEST_F(GraphsTest, WhatCantBeRecordedRunsAllTheSame) {
  Handle engine = with_graphs(blob());
  call(engine);
  driver.graph_errors = 100;
  call(engine);
  EXPECT_THAT(engine.log(), HasSubstr("it runs without a CUDA graph: a CUDA graph can't be "
                                      "recorded on cuda:0"));
  for (int i = 0; i < 5; ++i) call(engine);
  EXPECT_EQ(driver.graph_errors, 97) << "it is tried three times";
  call(engine, 3);
  call(engine, 3);
  EXPECT_EQ(driver.graph_errors, 96) << "another shape is tried";
  driver.graph_errors = 0;
  EXPECT_EQ(made_and_launched([&] { call(engine, 3); }), Counts(1, 1));
}

// TensorRT refuses while it is recorded: the stream must be usable afterwards.
TEST_F(GraphsTest, ARunThatFailsIsAnError) {
  Handle engine = with_graphs(blob());
  call(engine);
  tensorrt.refuses_run = true;
  TestTensor x({2, 3}, Floats(6, 1));
  TestTensor y({20, 3});
  EXPECT_EQ(engine.run({&x, &y}), et::Error::Internal);
  EXPECT_THAT(engine.log(), HasSubstr("told not to run"));
  tensorrt.refuses_run = false;
  EXPECT_EQ(made_and_launched([&] { call(engine); }), Counts(1, 1));
}

TEST_F(GraphsTest, TheCallersStreamRunsThem) {
  const auto device = *cuda::Device::open(0);
  const auto stream = cuda::Stream::create(device);
  ASSERT_TRUE(stream.ok());
  Handle engine = with_graphs(blob());
  EXPECT_EQ(made_and_launched([&] {
              call(engine);
              {
                const cuda::StreamGuard guard(stream->handle());
                call(engine);
                call(engine);
              }
              const cuda::StreamGuard guard(nullptr);
              call(engine);
            }),
            Counts(1, 3));
}

TEST_F(GraphsTest, ANewBudgetNeedsNewOnes) {
  Handle engine = with_graphs(blob(doubling_metadata(), "streamable 4096\nautomatic 4096\n"));
  call(engine);
  call(engine);
  EXPECT_EQ(driver.live_graphs, 1);
  et::BackendOption budget{};
  std::strcpy(budget.key, "weight_streaming_budget");
  budget.value = 1000;
  ASSERT_EQ(et::set_option(kBackend, {&budget, 1}), et::Error::Ok);
  EXPECT_EQ(driver.live_graphs, 0);
  EXPECT_EQ(made_and_launched([&] { call(engine); }), Counts(0, 0));
  EXPECT_EQ(made_and_launched([&] { call(engine); }), Counts(1, 1));
}

TEST_F(GraphsTest, TensorrtRtxHasThemOfFixedSizesOnly) {
  use_version(kRtx);
  Handle dynamic = with_graphs(blob());
  ASSERT_EQ(dynamic.error(), et::Error::Ok) << dynamic.log();
  EXPECT_THAT(dynamic.log(), HasSubstr("no CUDA graphs of inputs of dynamic sizes"));
  Metadata metadata;
  metadata.io_bindings = {{"x", "float32", {2, 3}, true}, {"y", "float32", {2, 3}, false}};
  Handle fixed =
      with_graphs(blob_of(metadata, stand_in_plan("input x float32 2 3\noutput y x 2 1\n")));
  TestTensor x({2, 3}, Floats(6, 1));
  TestTensor y({2, 3});
  EXPECT_EQ(made_and_launched([&] {
              for (int i = 0; i < 3; ++i) {
                call(dynamic);
                ASSERT_EQ(fixed.run({&x, &y}), et::Error::Ok) << fixed.log();
              }
            }),
            Counts(1, 2));
  EXPECT_EQ(y.floats(), Floats(6, 3));
}

// The only test that sets what the process says, which can't be unsaid.
TEST_F(GraphsTest, TheLoaderIsBeforeARefusalOfTheProcessAndTheFile) {
  ASSERT_TRUE(runtime::require_backend(kBackend).ok());
  enum class Say { kNothing, kNo, kYes };
  const auto has_graphs = [&](Say option, Say file) {
    std::vector<et::BackendOption> options;
    if (option != Say::kNothing) options.push_back(graphs_option(option == Say::kYes));
    Handle::Specs specs;
    if (file != Say::kNothing) specs = {{"use_cuda_graphs", file == Say::kYes ? "1" : "0"}};
    Handle engine(blob(), specs, options);
    const auto [made, launched] = made_and_launched([&] {
      call(engine);
      call(engine);
    });
    return made == 1;
  };
  for (const Say process : {Say::kNothing, Say::kYes, Say::kNo}) {
    if (process != Say::kNothing) {
      et::BackendOption option = graphs_option(process == Say::kYes);
      ASSERT_EQ(et::set_option(kBackend, {&option, 1}), et::Error::Ok);
    }
    for (const Say file : {Say::kNothing, Say::kNo, Say::kYes}) {
      EXPECT_TRUE(has_graphs(Say::kYes, file));
      EXPECT_FALSE(has_graphs(Say::kNo, file));
      const bool expected = process != Say::kNo &&
                            (file == Say::kYes || (file == Say::kNothing && process == Say::kYes));
      EXPECT_EQ(has_graphs(Say::kNothing, file), expected)
          << static_cast<int>(process) << " " << static_cast<int>(file);
    }
  }
}

TEST_F(GraphsTest, WhatIsNoAnswerIsRefused) {
  for (const char* value : {"", "2", "10", "true"}) {
    const Handle engine(blob(), {{"use_cuda_graphs", value}});
    EXPECT_EQ(engine.error(), et::Error::InvalidProgram) << value;
    EXPECT_THAT(engine.log(), HasSubstr("use_cuda_graphs is '" + std::string(value) + "'"));
  }
  EXPECT_EQ(Handle(blob(), {{"use_cuda_graphs", "1"}, {"use_cuda_graphs", "1"}}).error(),
            et::Error::InvalidProgram);
  et::BackendOption number = graphs_option(true);
  number.value = 1;
  EXPECT_EQ(Handle(blob(), {}, {number}).error(), et::Error::InvalidArgument);
  EXPECT_EQ(Handle(blob(), {}, {graphs_option(true), graphs_option(true)}).error(),
            et::Error::InvalidArgument);
  ASSERT_TRUE(runtime::require_backend(kBackend).ok());
  EXPECT_EQ(et::set_option(kBackend, {&number, 1}), et::Error::InvalidArgument);
}

}  // namespace
}  // namespace slipway::tensorrt
