#include "cuda/driver/lanes.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace slipway::cuda {
namespace {

TEST(Lanes, CallEachOnce) {
  for (const size_t count : {0, 1, 2, 5, 40, 1, 3}) {
    std::vector<std::atomic<int>> calls(count);
    Lanes::get().run(count, [&](size_t i) { ++calls[i]; });
    for (const std::atomic<int>& one : calls) EXPECT_EQ(one, 1);
  }
}

TEST(Lanes, AloneACallIsOfItsOwnThread) {
  std::thread::id there;
  Lanes::get().run(1, [&](size_t) { there = std::this_thread::get_id(); });
  EXPECT_EQ(there, std::this_thread::get_id());
}

TEST(Lanes, ServeSeveralThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::vector<size_t> sums(4);
  for (size_t& sum : sums) {
    threads.emplace_back([&sum] {
      for (size_t round = 0; round < 200; ++round) {
        std::atomic<size_t> own{0};
        Lanes::get().run(8, [&](size_t i) { own += i; });
        sum += own;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const size_t sum : sums) EXPECT_EQ(sum, 200u * 28);
}

}  // namespace
}  // namespace slipway::cuda
