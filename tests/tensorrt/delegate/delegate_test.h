// For the tests of TensorRT's delegate: the stand-ins for TensorRT and NVIDIA's driver, engines for
// them, and the delegate as ExecuTorch's own runtime uses it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "cuda/driver/stand_in_driver_test.h"
#include "runtime/backends.h"
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

// y = 2x + 1, from one row to eight.
inline const std::string kDoubling = "input x float32 1..8 3\noutput y x 2 1\n";

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

// A tensor of ExecuTorch in memory of the host, or in memory that is given.
class TestTensor {
 public:
  explicit TestTensor(std::vector<aten::SizesType> sizes, std::vector<float> data = {},
                      aten::ScalarType type = aten::ScalarType::Float, void* memory = nullptr)
      : sizes_(std::move(sizes)), data_(std::move(data)), order_(sizes_.size()) {
    std::iota(order_.begin(), order_.end(), aten::DimOrderType{0});
    strides_.resize(sizes_.size());
    aten::StridesType stride = 1;
    for (size_t i = sizes_.size(); i-- > 0; stride *= std::max(sizes_[i], 1)) strides_[i] = stride;
    data_.resize(static_cast<size_t>(stride) * 2);  // for elements of 8 bytes, too
    impl_.emplace(type, static_cast<ssize_t>(sizes_.size()), sizes_.data(),
                  memory != nullptr ? memory : data_.data(), order_.data(), strides_.data(),
                  et::TensorShapeDynamism::DYNAMIC_BOUND);
    value_ = et::EValue(aten::Tensor(&*impl_));
  }
  TestTensor(const TestTensor&) = delete;
  TestTensor& operator=(const TestTensor&) = delete;

  et::EValue& value() { return value_; }
  std::vector<int> sizes() const { return {impl_->sizes().begin(), impl_->sizes().end()}; }
  std::vector<float> floats() const {
    return {data_.begin(), data_.begin() + static_cast<ptrdiff_t>(impl_->numel())};
  }

 private:
  std::vector<aten::SizesType> sizes_;
  std::vector<float> data_;
  std::vector<aten::StridesType> strides_;
  std::vector<aten::DimOrderType> order_;
  std::optional<aten::TensorImpl> impl_;
  et::EValue value_;
};

// An engine as ExecuTorch holds it.
class Handle {
 public:
  using Specs = std::vector<std::pair<std::string, std::string>>;

  Handle(std::string blob, const Specs& specs = {}, std::vector<et::BackendOption> options = {})
      : blob_(std::move(blob)) {
    const Status there = runtime::require_backend(kBackend);
    EXPECT_TRUE(there.ok()) << there.error().message();
    backend_ = et::get_backend_class(kBackend);
    std::vector<et::CompileSpec> list;
    for (const auto& [key, value] : specs) {
      list.push_back({key.c_str(), {const_cast<char*>(value.data()), value.size()}});
    }
    et::BackendInitContext context(nullptr, nullptr, "forward", nullptr,
                                   {options.data(), options.size()});
    et::FreeableBuffer bytes(blob_.data(), blob_.size(), nullptr);
    const runtime::LogCapture capture;
    const auto made = backend_->init(context, &bytes, {list.data(), list.size()});
    error_ = made.error();
    if (made.ok()) handle_ = *made;
    log_ = capture.text();
  }
  ~Handle() {
    if (handle_ != nullptr) backend_->destroy(handle_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  et::Error error() const { return error_; }
  const std::string& log() const { return log_; }

  et::Error run(const std::vector<TestTensor*>& tensors) {
    std::vector<et::EValue*> values;
    for (TestTensor* tensor : tensors) values.push_back(&tensor->value());
    return run_values(values);
  }
  et::Error run_values(std::vector<et::EValue*> values) {
    et::BackendExecutionContext context;
    const runtime::LogCapture capture;
    const et::Error error = backend_->execute(context, handle_, {values.data(), values.size()});
    log_ = capture.text();
    return error;
  }

 private:
  std::string blob_;
  et::BackendInterface* backend_ = nullptr;
  et::DelegateHandle* handle_ = nullptr;
  et::Error error_ = et::Error::Ok;
  std::string log_;
};

// Holds that nothing is left over.
class DelegateTest : public testing::Test {
 protected:
  void SetUp() override { runtime::initialize_platform(); }
  void TearDown() override {
    driver.memory = size_t{1} << 30;
    driver.devices = 2;
    driver.capability = 86;
    driver.work_error = 0;
    tensorrt.refuses_runtime = false;
    tensorrt.largest_budget = INT64_MAX;
    tensorrt.refuses_run = false;
    EXPECT_EQ(tensorrt.live_engines, 0);
    EXPECT_EQ(tensorrt.live_contexts, 0);
    EXPECT_EQ(driver.used, 0u);
    EXPECT_EQ(driver.live_host_allocations, 0);
    EXPECT_EQ(driver.live_contexts, 0);
    EXPECT_EQ(driver.live_streams, 0);
  }

  void use_version(int version) { use_stand_in_runtime(SLIPWAY_STAND_IN_TENSORRT, version); }

  cuda::StandInDriver& driver = cuda::use_stand_in_driver(SLIPWAY_STAND_IN_DRIVER);
  StandInRuntime& tensorrt = use_stand_in_runtime(SLIPWAY_STAND_IN_TENSORRT, kT11);
};

}  // namespace slipway::tensorrt
