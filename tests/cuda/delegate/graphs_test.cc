// Calls that are repeated as CUDA graphs.
#include "cuda/delegate/delegate_test.h"

namespace slipway::cuda {
namespace {

class CudaGraphs : public CudaDelegateTest {
 protected:
  // A call on tensors of these addresses and sizes.
  static void call(Handle& engine, int rows, float value) {
    TestTensor x({rows, 3}, Floats(static_cast<size_t>(rows) * 3, value));
    TestTensor y({rows, 3}, Floats(static_cast<size_t>(rows) * 3));
    ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
    ASSERT_EQ(y.data().at(0), (value + 1) * 2);
    ASSERT_EQ(y.data().back(), (value * 100 + 1) * 2);
  }
};

TEST_F(CudaGraphs, TheSecondCallIsRecordedAndLaterOnesRepeatIt) {
  Handle engine(affine().blob(), {}, {graphs_option()});
  const int graphs = driver.graphs;
  const int launches = driver.graph_launches;
  for (int i = 0; i < 5; ++i) call(engine, 2, static_cast<float>(i));
  EXPECT_EQ(driver.graphs, graphs + 1);
  EXPECT_EQ(driver.graph_launches, launches + 4);
}

TEST_F(CudaGraphs, EachShapeHasItsOwn) {
  Handle engine(affine().blob(), {}, {graphs_option()});
  call(engine, 40, 1);
  const int graphs = driver.graphs;
  for (int i = 0; i < 12; ++i) call(engine, 1 + i % 3, static_cast<float>(i));
  EXPECT_EQ(driver.graphs, graphs + 3);
}

// More shapes than are kept, and memory that grows with each.
TEST_F(CudaGraphs, AreRightWhenShapesComeAndGo) {
  Handle engine(affine().blob(), {}, {graphs_option()});
  for (int round = 0; round < 3; ++round) {
    for (int rows = 1; rows <= 40; rows += 3) {
      for (int i = 0; i < 3; ++i) call(engine, rows, static_cast<float>(round + i));
    }
  }
}

TEST_F(CudaGraphs, WhereNoneCanBeMadeCallsRunWithout) {
  if (driver.is_real) GTEST_SKIP() << "a GPU makes graphs";
  Handle engine(affine().blob(), {{"use_cuda_graphs", "1"}});
  const int launches = driver.graph_launches;
  driver.graph_errors = 1;
  call(engine, 2, 1);
  call(engine, 2, 2);
  EXPECT_EQ(driver.graph_launches, launches);
  call(engine, 2, 3);
  EXPECT_EQ(driver.graph_launches, launches + 1);
}

TEST_F(CudaGraphs, AreNotMadeUnasked) {
  Handle engine(affine().blob());
  const int launches = driver.launches;
  const int graphs = driver.graph_launches;
  for (int i = 0; i < 3; ++i) call(engine, 2, 1);
  EXPECT_EQ(driver.launches, launches + 6);
  EXPECT_EQ(driver.graph_launches, graphs);
}

// Only kernels that wait for earlier ones themselves, and only behind a kernel.
TEST_F(CudaGraphs, KernelsOverlapWhereTheyWaitForEarlierOnes) {
  if (driver.is_real) GTEST_SKIP() << "a GPU takes no C++";
  driver.capability = 90;
  const auto overlapping = [&](const char* target, bool overlaps, bool copies) {
    EngineMaker maker = affine();
    maker.images.at(0).first = target;
    maker.engine.overlaps = overlaps;
    if (copies) {  // between the kernels: of x to itself once more
      const uint32_t bytes = maker.engine.buffers.at(0)->bytes;
      maker.copy(0, maker.buffer(table::Home::Scratch, bytes), bytes);
      std::swap(maker.engine.steps.at(1), maker.engine.steps.at(2));
    }
    Handle engine(maker.blob(), {}, {graphs_option()});
    const int before = driver.overlapping_launches;
    for (int i = 0; i < 3; ++i) call(engine, 2, 1);
    return driver.overlapping_launches - before;
  };
  EXPECT_EQ(overlapping("compute_90", true, false), 2);  // one at once, one when it is recorded
  EXPECT_EQ(overlapping("compute_90", true, true), 0);
  EXPECT_EQ(overlapping("compute_80", true, false), 0);
  EXPECT_EQ(overlapping("compute_90", false, false), 0);
}

TEST_F(CudaGraphs, AThousandCallsTakeNoMemory) {
  Handle engine(affine().blob(), {}, {graphs_option()});
  for (int i = 0; i < 3; ++i) call(engine, 4, 1);
  const size_t used = driver.used;
  const int host = driver.live_host_allocations;
  const int events = driver.live_events;
  for (int i = 0; i < 1000; ++i) call(engine, 1 + i % 4, static_cast<float>(i % 7));
  EXPECT_EQ(driver.used, used);
  EXPECT_EQ(driver.live_host_allocations, host);
  EXPECT_EQ(driver.live_events, events);
}

}  // namespace
}  // namespace slipway::cuda
