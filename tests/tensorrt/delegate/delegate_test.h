// For the tests of TensorRT's delegate: the stand-ins for TensorRT and NVIDIA's driver, engines for
// them, and the delegate as ExecuTorch's own runtime uses it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "cuda/driver/memory.h"
#include "cuda/driver/stand_in_driver_test.h"
#include "delegate/execution_test.h"
#include "runtime/platform.h"
#include "tensorrt/format/blob.h"
#include "tensorrt/stand_in_runtime.h"

namespace slipway::tensorrt {

namespace et = executorch::runtime;
namespace aten = executorch::aten;

// A version of each family.
inline constexpr int kT10 = 101300;
inline constexpr int kT11 = 110100;
inline constexpr int kRtx = 10701;

inline const std::string kFolder = std::string(SLIPWAY_TEST_DATA) + "/engines/";

// y = 2x + 1, from one row to eight.
inline const std::string kDoubling = "input x float32 1..8 3\noutput y x 2 1\n";

// Ends the function, and skips the test, where plans of tests/data/engines do not run.
#define SKIP_UNLESS_PLANS_RUN()                                                               \
  if (cuda::stand_in_driver(SLIPWAY_TEST_DRIVERS).capability != 86) {                         \
    GTEST_SKIP() << "the plans of tests/data/engines are for sm_86, and here is another GPU"; \
  }                                                                                           \
  static_assert(true)

// For the machine's GPU.
inline std::string stand_in_plan(const std::string& lines) {
  return stand_in_plan(lines, cuda::stand_in_driver(SLIPWAY_TEST_DRIVERS).capability);
}

inline Metadata doubling_metadata() {
  Metadata metadata;
  metadata.io_bindings = {{"x", "float32", {-1, 3}, true}, {"y", "float32", {-1, 3}, false}};
  metadata.target_platform = "linux_x86_64";
  return metadata;
}

inline std::string blob_of(const Metadata& metadata, const std::string& plan) {
  const auto header = write_header(metadata, plan.size());
  EXPECT_TRUE(header.ok()) << header.error().message();
  return std::string(reinterpret_cast<const char*>(header->data()), header->size()) + plan;
}

inline std::string doubling(const std::string& more = "",
                            const Metadata& metadata = doubling_metadata()) {
  return blob_of(metadata, stand_in_plan(kDoubling + more));
}

// With room for elements of 8 bytes, too.
class TestTensor : public delegate::TestTensor {
 public:
  explicit TestTensor(const std::vector<aten::SizesType>& sizes, std::vector<float> data = {},
                      aten::ScalarType type = aten::ScalarType::Float, void* memory = nullptr)
      : delegate::TestTensor(sizes, padded(sizes, std::move(data)), type, false, memory) {}

  std::vector<float> floats() const {
    return {data().begin(), data().begin() + static_cast<ptrdiff_t>(tensor().numel())};
  }

 private:
  static std::vector<float> padded(const std::vector<aten::SizesType>& sizes,
                                   std::vector<float> data) {
    size_t count = 2;
    for (const aten::SizesType size : sizes) count *= static_cast<size_t>(std::max(size, 1));
    data.resize(count);
    return data;
  }
};

// Numbers in the memory of a device.
class DeviceFloats {
 public:
  explicit DeviceFloats(const std::vector<float>& values, int device = 0)
      : device_(*cuda::Device::open(device)),
        stream_(*cuda::Stream::create(device_)),
        staging_(device_),
        bytes_(values.size() * sizeof(float)) {
    const auto current = device_->make_current();
    EXPECT_TRUE(staging_.reserve(bytes_).ok());
    EXPECT_TRUE(staging_.upload(values.data(), bytes_, stream_).ok());
    EXPECT_TRUE(stream_.wait().ok());
  }
  void* data() const { return reinterpret_cast<void*>(staging_.address()); }
  std::vector<float> floats() {
    const auto current = device_->make_current();
    std::vector<float> values(bytes_ / sizeof(float));
    EXPECT_TRUE(staging_.download(staging_.address(), bytes_, stream_).ok());
    EXPECT_TRUE(stream_.wait().ok());
    EXPECT_TRUE(staging_.finish_download(values.data(), bytes_, stream_).ok());
    return values;
  }

 private:
  cuda::DevicePointer device_;
  cuda::Stream stream_;
  cuda::Staging staging_;
  size_t bytes_;
};

class Handle : public delegate::LoadedEngine {
 public:
  Handle(const std::string& blob, const Specs& specs = {},
         const std::vector<et::BackendOption>& options = {},
         const et::NamedDataMap* named_data = nullptr)
      : LoadedEngine(kBackend, bytes_of(blob), specs, {options.data(), options.size()},
                     named_data) {}

  et::Error run(const std::vector<TestTensor*>& tensors, et::EventTracer* tracer = nullptr) {
    std::vector<et::EValue*> values;
    for (TestTensor* tensor : tensors) values.push_back(tensor->value());
    return LoadedEngine::run(std::move(values), tracer);
  }

 private:
  static std::vector<std::byte> bytes_of(const std::string& text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
  }
};

// Holds that nothing is left over.
class DelegateTest : public testing::Test {
 protected:
  void SetUp() override {
    runtime::initialize_platform();
    ::setenv("SLIPWAY_TENSORRT_RUNTIME_CACHE", "", 1);  // nothing is left on this machine
  }
  void TearDown() override {
    driver.memory = size_t{1} << 30;
    driver.work_error = 0;
    tensorrt.refuses_runtime = false;
    tensorrt.largest_budget = INT64_MAX;
    tensorrt.refuses_run = false;
    tensorrt.refuses_context = false;
    EXPECT_EQ(tensorrt.live_engines, 0);
    EXPECT_EQ(tensorrt.live_contexts, 0);
    EXPECT_EQ(driver.used, 0u);
    EXPECT_EQ(driver.live_host_allocations, 0);
    EXPECT_EQ(driver.live_contexts, 0);
    EXPECT_EQ(driver.live_streams, 0);
    EXPECT_EQ(driver.live_graphs, 0);
  }

  void use_version(int version) { use_stand_in_runtime(SLIPWAY_STAND_IN_TENSORRT, version); }

  // "cuda:0 (stand-in 0, compute capability 8.6)"
  static std::string describe_device() {
    return cuda::describe(cuda::list_devices(**cuda::Driver::open())->at(0));
  }

  cuda::StandInDriver& driver = cuda::use_stand_in_driver(SLIPWAY_TEST_DRIVERS);
  StandInRuntime& tensorrt = use_stand_in_runtime(SLIPWAY_STAND_IN_TENSORRT, kT11);
};

}  // namespace slipway::tensorrt
