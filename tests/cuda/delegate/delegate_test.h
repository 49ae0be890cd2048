// For the tests of the delegate for generated kernels: engines whose kernels are C++ of the host,
// the stand-in for NVIDIA's driver that runs them, and the delegate as ExecuTorch's own runtime
// uses it.
#pragma once

#include <algorithm>
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
#include "delegate/execution_test.h"
#include "runtime/platform.h"

namespace slipway::cuda {

namespace et = executorch::runtime;
namespace aten = executorch::aten;
using Floats = std::vector<float>;

// Builds an engine piece by piece.
class EngineMaker {
 public:
  table::EngineT engine;
  PieceList constants;
  // Each target's code; the stand-in compiles this as it would PTX.
  std::vector<std::pair<std::string, std::string>> images;

  uint32_t number(int64_t value) { return number(table::NumberKind::Constant, 0, 0, value); }
  uint32_t number(table::NumberKind kind, uint32_t a, uint32_t b, int64_t value = 0) {
    auto made = std::make_unique<table::NumberT>();
    made->kind = kind;
    made->a = a;
    made->b = b;
    made->value = value;
    engine.numbers.push_back(std::move(made));
    return static_cast<uint32_t>(engine.numbers.size() - 1);
  }
  uint32_t buffer(table::Home home, uint32_t bytes, uint32_t position = 0, uint64_t offset = 0) {
    auto made = std::make_unique<table::BufferT>();
    made->home = home;
    made->bytes = bytes;
    made->position = position;
    made->offset = offset;
    engine.buffers.push_back(std::move(made));
    return static_cast<uint32_t>(engine.buffers.size() - 1);
  }
  uint32_t constant(Floats values) {
    constants.align(kAlignment);
    const size_t bytes = values.size() * sizeof(float);
    const auto owner = std::make_shared<Floats>(std::move(values));
    const uint64_t offset = constants.add(OwnedSpan{std::as_bytes(std::span(*owner)), owner});
    return buffer(table::Home::Constant, number(static_cast<int64_t>(bytes)), 0, offset);
  }
  void input(std::vector<uint32_t> sizes, aten::ScalarType type = aten::ScalarType::Float) {
    engine.inputs.push_back(port(std::move(sizes), type));
  }
  void output(std::vector<uint32_t> sizes, aten::ScalarType type = aten::ScalarType::Float) {
    engine.outputs.push_back(port(std::move(sizes), type));
  }
  struct Step {
    std::string kernel;
    uint32_t blocks = 0;  // a number
    uint32_t threads = 32;
    std::vector<uint32_t> reads;
    std::vector<uint32_t> writes;
    std::vector<uint32_t> numbers;  // arguments behind the buffers
    std::string origin;
    uint32_t shared_bytes = 0;
  };
  void launch(const Step& step) {
    const auto known = std::find(engine.kernels.begin(), engine.kernels.end(), step.kernel);
    auto made = std::make_unique<table::LaunchT>();
    made->kernel = static_cast<uint32_t>(known - engine.kernels.begin());
    if (known == engine.kernels.end()) engine.kernels.push_back(step.kernel);
    const uint32_t one = number(1);
    made->grid = {step.blocks, one, one};
    made->block = {step.threads, 1, 1};
    made->shared_bytes = step.shared_bytes;
    made->reads = step.reads;
    made->writes = step.writes;
    for (const auto* list : {&step.reads, &step.writes}) {
      for (const uint32_t each : *list) {
        made->arguments.emplace_back(table::ArgumentKind::Buffer, each);
      }
    }
    for (const uint32_t each : step.numbers) {
      made->arguments.emplace_back(table::ArgumentKind::Number, each);
    }
    made->origin = step.origin;
    table::StepUnion added;
    added.Set(std::move(*made));
    engine.steps.push_back(std::move(added));
  }
  void copy(uint32_t from, uint32_t to, uint32_t bytes) {
    table::CopyT made;
    made.from = from;
    made.to = to;
    made.bytes = bytes;
    table::StepUnion added;
    added.Set(std::move(made));
    engine.steps.push_back(std::move(added));
  }

  std::vector<std::byte> blob() {
    engine.images.clear();
    std::vector<std::string> codes;
    for (const auto& [target, code] : images) {
      auto image = std::make_unique<table::ImageT>();
      image->target = target;
      engine.images.push_back(std::move(image));
      codes.push_back(code);
    }
    std::vector<std::byte> bytes;
    const Status written = write_blob(engine, codes, constants, [&](std::span<const std::byte> b) {
      bytes.insert(bytes.end(), b.begin(), b.end());
      return Status();
    });
    EXPECT_TRUE(written.ok()) << written.error().message();
    return bytes;
  }

 private:
  static std::unique_ptr<table::PortT> port(std::vector<uint32_t> sizes, aten::ScalarType type) {
    auto made = std::make_unique<table::PortT>();
    made->type = static_cast<int8_t>(type);
    made->sizes = std::move(sizes);
    return made;
  }
};

// y = (x * w + 1) * 2 for x of [rows, 3] and w of [3], by two kernels with memory between them.
inline EngineMaker affine() {
  EngineMaker maker;
  const uint32_t rows = maker.number(table::NumberKind::Dimension, 0, 0);
  const uint32_t three = maker.number(3);
  const uint32_t count = maker.number(table::NumberKind::Multiply, rows, three);
  const uint32_t bytes =
      maker.number(table::NumberKind::Multiply, count, maker.number(sizeof(float)));
  const uint32_t more = maker.number(table::NumberKind::Add, count, maker.number(31));
  const uint32_t blocks = maker.number(table::NumberKind::FloorDivide, more, maker.number(32));
  maker.input({rows, three});
  maker.output({rows, three});
  const uint32_t x = maker.buffer(table::Home::Input, bytes);
  const uint32_t w = maker.constant({1, 10, 100});
  const uint32_t between = maker.buffer(table::Home::Scratch, bytes);
  const uint32_t y = maker.buffer(table::Home::Output, bytes);
  maker.launch({"scale", blocks, 32, {x, w}, {between}, {count}, "aten.mul.Tensor", 0});
  maker.launch({"shift", blocks, 32, {between}, {y}, {count}, "aten.add.Tensor", 0});
  maker.images = {{"compute_10", R"(
extern "C" __global__ void scale(const float* x, const float* w, float* y, long long n) {
  const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] * w[i % 3];
}
extern "C" __global__ void shift(const float* x, float* y, long long n) {
  const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
  if (i < n) y[i] = (x[i] + 1) * 2;
}
)"}};
  return maker;
}

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

  et::Error run(const std::vector<TestTensor*>& tensors) {
    std::vector<et::EValue*> values;
    for (TestTensor* tensor : tensors) values.push_back(tensor->value());
    return delegate::LoadedEngine::run(std::move(values));
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
