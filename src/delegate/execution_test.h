// For tests of delegates: tensors with their memory, and engines as ExecuTorch's own runtime holds
// them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <gtest/gtest.h>

#include "runtime/backends.h"
#include "runtime/platform.h"
#include "runtime/silent_tracer.h"

namespace slipway::delegate {

// A tensor of ExecuTorch in its own memory, or in memory that is given. Without either it has none.
class TestTensor {
 public:
  TestTensor(std::vector<executorch::aten::SizesType> sizes, std::vector<float> data,
             executorch::aten::ScalarType type = executorch::aten::ScalarType::Float,
             bool is_transposed = false, void* memory = nullptr)
      : sizes_(std::move(sizes)),
        data_(std::move(data)),
        strides_(sizes_.size(), 1),
        order_(sizes_.size()) {
    std::iota(order_.begin(), order_.end(), executorch::aten::DimOrderType{0});
    if (is_transposed) std::swap(order_.at(0), order_.at(1));
    executorch::aten::StridesType stride = 1;
    for (size_t i = order_.size(); i-- > 0; stride *= std::max(sizes_[order_[i]], 1)) {
      strides_[order_[i]] = stride;
    }
    if (memory == nullptr && !data_.empty()) memory = data_.data();
    impl_.emplace(type, static_cast<ssize_t>(sizes_.size()), sizes_.data(), memory, order_.data(),
                  strides_.data(), executorch::runtime::TensorShapeDynamism::DYNAMIC_BOUND);
    value_ = executorch::runtime::EValue(executorch::aten::Tensor(&*impl_));
  }
  TestTensor(const TestTensor&) = delete;
  TestTensor& operator=(const TestTensor&) = delete;

  executorch::runtime::EValue* value() { return &value_; }
  const executorch::aten::Tensor& tensor() const { return value_.toTensor(); }
  std::vector<int> sizes() const { return {impl_->sizes().begin(), impl_->sizes().end()}; }
  const std::vector<float>& data() const { return data_; }
  void set(const std::vector<float>& data) { std::copy(data.begin(), data.end(), data_.begin()); }
  void resize(const std::vector<executorch::aten::SizesType>& sizes) {
    EXPECT_EQ(executorch::runtime::resize_tensor(tensor(), {sizes.data(), sizes.size()}),
              executorch::runtime::Error::Ok);
  }

 private:
  std::vector<executorch::aten::SizesType> sizes_;
  std::vector<float> data_;
  std::vector<executorch::aten::StridesType> strides_;
  std::vector<executorch::aten::DimOrderType> order_;
  std::optional<executorch::aten::TensorImpl> impl_;
  executorch::runtime::EValue value_;
};

// What engines tell of their layers: "name (kind) NANOSECONDS".
class LayerList : public runtime::SilentTracer {
 public:
  void log_profiling_delegate(const char* name, executorch::runtime::DelegateDebugIntId id,
                              et_timestamp_t start, et_timestamp_t end, const void* metadata,
                              size_t size) override {
    EXPECT_EQ(id, executorch::runtime::kUnsetDelegateDebugIntId) << "ETDumpGen takes one of both";
    const std::string kind(static_cast<const char*>(metadata), size);
    told.push_back(std::string(name) + " (" + kind + ") " + std::to_string(end - start));
  }

  std::vector<std::string> told;
};

// An engine as a method holds it, or why there is none.
class LoadedEngine {
 public:
  using Specs = std::vector<std::pair<std::string, std::string>>;
  // There as long as the engine, and as long as they are not given back.
  struct Blob {
    std::vector<std::byte> bytes;
    bool is_freed = false;
  };

  LoadedEngine(const char* backend, std::vector<std::byte> blob, const Specs& specs = {},
               executorch::runtime::Span<const executorch::runtime::BackendOption> options = {},
               const executorch::runtime::NamedDataMap* named_data = nullptr)
      : blob_(std::make_shared<Blob>(Blob{std::move(blob)})) {
    const Status there = runtime::require_backend(backend);
    EXPECT_TRUE(there.ok()) << there.error().message();
    backend_ = executorch::runtime::get_backend_class(backend);
    std::vector<executorch::runtime::CompileSpec> list;
    for (const auto& [key, value] : specs) {
      list.push_back({key.c_str(), {const_cast<char*>(value.data()), value.size()}});
    }
    using Owner = std::shared_ptr<Blob>;
    // Where there are no bytes, nothing is given back.
    auto* const owner = blob_->bytes.data() == nullptr ? nullptr : new Owner(blob_);
    executorch::runtime::FreeableBuffer processed(
        blob_->bytes.data(), blob_->bytes.size(),
        [](void* context, void*, size_t) {
          const std::unique_ptr<Owner> held(static_cast<Owner*>(context));
          (*held)->is_freed = true;
        },
        owner);
    executorch::runtime::BackendInitContext context(nullptr, nullptr, "forward", named_data,
                                                    options);
    const runtime::LogCapture capture;
    const auto made = backend_->init(context, &processed, {list.data(), list.size()});
    is_freed_by_init_ = blob_->is_freed;
    error_ = made.error();
    if (made.ok()) handle_ = *made;
    log_ = capture.text();
  }
  ~LoadedEngine() {
    if (handle_ != nullptr) backend_->destroy(handle_);
  }
  LoadedEngine(const LoadedEngine&) = delete;
  LoadedEngine& operator=(const LoadedEngine&) = delete;

  // Of loading.
  executorch::runtime::Error error() const { return error_; }
  // What was logged last, while it was loaded or ran.
  const std::string& log() const { return log_; }
  // Whether loading gave the blob back.
  bool is_freed_by_init() const { return is_freed_by_init_; }
  std::shared_ptr<const Blob> blob() const { return blob_; }

  executorch::runtime::Error run(std::vector<executorch::runtime::EValue*> values,
                                 executorch::runtime::EventTracer* tracer = nullptr) {
    executorch::runtime::BackendExecutionContext context(tracer);
    const runtime::LogCapture capture;
    const auto error = backend_->execute(context, handle_, {values.data(), values.size()});
    log_ = capture.text();
    return error;
  }

 private:
  std::shared_ptr<Blob> blob_;
  bool is_freed_by_init_ = false;
  executorch::runtime::BackendInterface* backend_ = nullptr;
  executorch::runtime::DelegateHandle* handle_ = nullptr;
  executorch::runtime::Error error_ = executorch::runtime::Error::Ok;
  std::string log_;
};

}  // namespace slipway::delegate
