// Engines of generated kernels for tests, made piece by piece.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/piece_writer.h"
#include "cuda/format/blob.h"
#include "cuda/format/choices.h"

namespace slipway::cuda {

using Floats = std::vector<float>;

// torch's ScalarType.
inline constexpr int8_t kLong = 4;
inline constexpr int8_t kFloat = 6;

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
  void input(std::vector<uint32_t> sizes, int8_t type = kFloat) {
    engine.inputs.push_back(port(std::move(sizes), type));
  }
  void output(std::vector<uint32_t> sizes, int8_t type = kFloat) {
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
  static std::unique_ptr<table::PortT> port(std::vector<uint32_t> sizes, int8_t type) {
    auto made = std::make_unique<table::PortT>();
    made->type = type;
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

// affine() with three ways to scale, of which the second has the fewest blocks. What they give
// differs, so that a result tells which ran: the first is right, and the others add 10 and 20.
inline EngineMaker choosing() {
  EngineMaker maker = affine();
  const table::LaunchT* const scale = maker.engine.steps.at(0).AsLaunch();
  const std::vector<uint32_t> reads = scale->reads;
  const std::vector<uint32_t> writes = scale->writes;
  const uint32_t count = scale->arguments.back().index();
  const auto add = [&](const char* kernel, int64_t blocks) {
    maker.launch({kernel, maker.number(blocks), 32, reads, writes, {count}, "aten.mul.Tensor", 0});
  };
  add("scale_2", 2);
  add("scale_3", 3);
  // Before the one that reads what they give.
  std::rotate(maker.engine.steps.begin() + 1, maker.engine.steps.begin() + 2,
              maker.engine.steps.end());
  maker.engine.steps[0].AsLaunch()->grid[0] = maker.number(4);
  for (uint8_t i = 0; i < 3; ++i) {
    table::LaunchT& launch = *maker.engine.steps[i].AsLaunch();
    launch.choice = 1;
    launch.alternative = i;
    launch.plan = "blocks of another number";
  }
  maker.engine.choices = {0};
  maker.engine.device.resize(kDeviceRoom);
  for (const int more : {2, 3}) {
    maker.images.at(0).second += "extern \"C\" __global__ void scale_" + std::to_string(more) +
                                 R"((const float* x, const float* w, float* y, long long n) {
  const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] * w[i % 3] + )" +
                                 std::to_string(10 * (more - 1)) + ";\n}\n";
  }
  return maker;
}

// With these bytes written over.
inline std::vector<std::byte> changed(std::vector<std::byte> blob,
                                      const std::vector<engine::BlobChange>& changes) {
  for (const engine::BlobChange& change : changes) {
    std::copy(change.bytes.begin(), change.bytes.end(),
              blob.begin() + static_cast<std::ptrdiff_t>(change.offset));
  }
  return blob;
}

// With these choices, as the fastest on the device.
inline std::vector<std::byte> chosen(const std::vector<std::byte>& blob,
                                     const std::vector<uint8_t>& choices,
                                     const std::string& device) {
  const auto changes = choose(blob, {choices, device, {}});
  EXPECT_TRUE(changes.ok()) << changes.error().message();
  return changed(blob, *changes);
}

}  // namespace slipway::cuda
