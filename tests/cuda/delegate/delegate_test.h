// For the tests of the delegate for generated kernels: engines whose kernels are C++ of the host,
// the stand-in for NVIDIA's driver that runs them, and the delegate as ExecuTorch's own runtime
// uses it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <executorch/runtime/backend/interface.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cuda/driver/memory.h"
#include "cuda/driver/stand_in_driver_test.h"
#include "cuda/format/blob.h"
#include "cuda/format/engine_maker_test.h"
#include "delegate/execution_test.h"
#include "runtime/platform.h"

namespace slipway::cuda {

namespace et = executorch::runtime;
namespace aten = executorch::aten;
using TestTensor = delegate::TestTensor;

// Numbers in the memory of a device.
class DeviceFloats {
 public:
  explicit DeviceFloats(const Floats& values, int device = 0)
      : device_(*Device::open(device)),
        stream_(*Stream::create(device_)),
        staging_(device_),
        bytes_(values.size() * sizeof(float)) {
    const auto current = device_->make_current();
    EXPECT_TRUE(staging_.reserve(bytes_).ok());
    EXPECT_TRUE(staging_.upload(values.data(), bytes_, stream_).ok());
    EXPECT_TRUE(stream_.wait().ok());
  }
  void* data() const { return reinterpret_cast<void*>(staging_.address()); }
  Floats floats() {
    const auto current = device_->make_current();
    Floats values(bytes_ / sizeof(float));
    EXPECT_TRUE(staging_.download(staging_.address(), bytes_, stream_).ok());
    EXPECT_TRUE(stream_.wait().ok());
    EXPECT_TRUE(staging_.finish_download(values.data(), bytes_, stream_).ok());
    return values;
  }

 private:
  DevicePointer device_;
  Stream stream_;
  Staging staging_;
  size_t bytes_;
};

class Handle : public delegate::LoadedEngine {
 public:
  explicit Handle(std::vector<std::byte> blob, const Specs& specs = {},
                  const std::vector<et::BackendOption>& options = {})
      : LoadedEngine(kBackend, std::move(blob), specs, {options.data(), options.size()}) {}

  et::Error run(const std::vector<TestTensor*>& tensors, et::EventTracer* tracer = nullptr) {
    std::vector<et::EValue*> values;
    for (TestTensor* tensor : tensors) values.push_back(tensor->value());
    return delegate::LoadedEngine::run(std::move(values), tracer);
  }
};

inline et::BackendOption graphs_option(bool value = true) {
  et::BackendOption option{};
  std::strcpy(option.key, "use_cuda_graphs");
  option.value = value;
  return option;
}

// Holds that nothing is left over.
class CudaDelegateTest : public testing::Test {
 protected:
  void SetUp() override { runtime::initialize_platform(); }
  void TearDown() override {
    driver.memory = size_t{1} << 30;
    driver.work_error = 0;
    driver.module_error = 0;
    driver.graph_errors = 0;
    driver.capability = 86;
    EXPECT_EQ(driver.used, 0u);
    EXPECT_EQ(driver.live_modules, 0);
    EXPECT_EQ(driver.live_host_allocations, 0);
    EXPECT_EQ(driver.live_contexts, 0);
    EXPECT_EQ(driver.live_streams, 0);
    EXPECT_EQ(driver.live_events, 0);
    EXPECT_EQ(driver.live_graphs, 0);
  }

  StandInDriver& driver = use_stand_in_driver(SLIPWAY_TEST_DRIVERS);
};

}  // namespace slipway::cuda
