// The memory of devices as ExecuTorch asks for it, on the stand-in for NVIDIA's driver.
#include "cuda/allocator/allocator.h"

#include <numeric>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cuda/driver/stand_in_driver_test.h"
#include "runtime/platform.h"

namespace slipway::cuda {
namespace {

namespace et = executorch::runtime;
using testing::HasSubstr;

class AllocatorTest : public testing::Test {
 protected:
  void SetUp() override { runtime::initialize_platform(); }
  void TearDown() override {
    driver.memory = size_t{1} << 30;
    EXPECT_EQ(driver.used, 0u);
    EXPECT_EQ(driver.live_host_allocations, 0);
    EXPECT_EQ(driver.live_contexts, 0);
    EXPECT_EQ(driver.live_streams, 0);
  }
  StandInDriver& driver = use_stand_in_driver(SLIPWAY_TEST_DRIVERS);
};

// Of a byte, and of more than is pinned at a time.
TEST_F(AllocatorTest, WhatIsCopiedThereComesBack) {
  for (const size_t size : {size_t{1}, size_t{5'000'000}, size_t{12} << 20}) {
    const auto data = allocator().allocate(size, 0, 256);
    ASSERT_TRUE(data.ok());
    EXPECT_EQ(driver.used, size);
    std::vector<uint8_t> values(size);
    for (size_t i = 0; i < size; ++i) values[i] = static_cast<uint8_t>(i % 251);
    std::vector<uint8_t> back(size);
    ASSERT_EQ(allocator().copy_host_to_device(*data, values.data(), size, 0), et::Error::Ok);
    ASSERT_EQ(allocator().copy_device_to_host(back.data(), *data, size, 0), et::Error::Ok);
    EXPECT_EQ(values, back);
    allocator().deallocate(*data, 0);
  }
}

TEST_F(AllocatorTest, WhatCannotBeHadIsAnError) {
  driver.memory = 100;
  const runtime::LogCapture log;
  EXPECT_EQ(allocator().allocate(101, 0, 16).error(), et::Error::MemoryAllocationFailed);
  EXPECT_THAT(log.text(), HasSubstr("CUDA memory: no memory of 101 bytes for cuda:0"));
  EXPECT_EQ(allocator().allocate(1, 9, 16).error(), et::Error::NotFound);
  EXPECT_THAT(log.text(), HasSubstr("there is no cuda:9"));
  EXPECT_FALSE(allocator().allocate(1, 0, 4096).ok());
  EXPECT_THAT(log.text(), HasSubstr("memory can't be aligned to 4096 bytes"));
  EXPECT_EQ(allocator().device_type(), et::etensor::DeviceType::CUDA);
}

TEST_F(AllocatorTest, ThreadsShareIt) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([thread] {
      for (int i = 0; i < 20; ++i) {
        const auto data = allocator().allocate(64, 0, 16);
        ASSERT_TRUE(data.ok());
        std::vector<int> values(16);
        std::iota(values.begin(), values.end(), 100 * thread + i);
        std::vector<int> back(16);
        EXPECT_EQ(allocator().copy_host_to_device(*data, values.data(), 64, 0), et::Error::Ok);
        EXPECT_EQ(allocator().copy_device_to_host(back.data(), *data, 64, 0), et::Error::Ok);
        EXPECT_EQ(values, back);
        allocator().deallocate(*data, 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace slipway::cuda
