#include "openvino/library/library.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "onnx/serializer.h"
#include "openvino/shim/exports.h"

namespace slipway::openvino {
namespace {

// y = x * w, where w is large enough to lie outside the message.
onnx::Graph product() {
  onnx::Graph graph;
  graph.name = "product";
  graph.inputs = {{"x", DType::kFloat32, {1, 1000}}};
  graph.outputs = {{"y", DType::kFloat32, {1, 300}}};
  graph.initializers.push_back(
      {"w", DType::kFloat32, {1000, 300}, own_bytes(std::vector<std::byte>(1'200'000))});
  graph.nodes = {{"MatMul", "product", {"x", "w"}, {"y"}, {}, "", "", ""}};
  return graph;
}

// Refers to the graph's weights.
std::string message(const onnx::Graph& graph) {
  const auto model = onnx::serialize_by_reference(graph, [](const onnx::Initializer& initializer) {
    const auto address = reinterpret_cast<uint64_t>(initializer.data.span()->bytes.data());
    return onnx::ExternalData{"*/_ORT_MEM_ADDR_/*", address};
  });
  EXPECT_TRUE(model.ok());
  return *model;
}

class LibraryTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto opened = Library::open();
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    library_ = *opened;
  }
  const Library* library_ = nullptr;
};

TEST_F(LibraryTest, SaysWhichOpenvinoItFound) {
  EXPECT_EQ(library_->version().substr(0, 9), "2026.4.1-");
  EXPECT_NE(library_->path().find("libopenvino.so"), std::string::npos);
  EXPECT_EQ(*Library::open(), library_);
}

TEST_F(LibraryTest, StreamsTheExport) {
  const onnx::Graph graph = product();
  const std::string model = message(graph);
  EXPECT_LT(model.size(), 10'000U);
  std::vector<std::byte> blob;
  size_t largest = 0;
  const Status status = library_->compile(model, {{"INFERENCE_PRECISION_HINT", "f32"}},
                                          [&](std::span<const std::byte> bytes) -> Status {
                                            largest = std::max(largest, bytes.size());
                                            blob.insert(blob.end(), bytes.begin(), bytes.end());
                                            return {};
                                          });
  ASSERT_TRUE(status.ok()) << status.error().message();
  EXPECT_LT(largest, blob.size());
  EXPECT_GT(blob.size(), 1'200'000U);
  const std::string_view bytes(reinterpret_cast<const char*>(blob.data()), blob.size());
  const std::string_view rest = bytes.substr(shim::requirements(bytes).size());
  // The header, which export writes last: offsets and sizes of three parts, to the end.
  std::array<uint64_t, 6> header;
  std::memcpy(header.data(), rest.data(), sizeof header);
  EXPECT_EQ(header[4] + header[5], rest.size());
}

TEST_F(LibraryTest, PassesOnWhatStopsTheSink) {
  const onnx::Graph graph = product();
  for (const size_t stop_after : {size_t{0}, size_t{40}, size_t{1000}}) {
    size_t written = 0;
    const Status status =
        library_->compile(message(graph), {}, [&](std::span<const std::byte> bytes) -> Status {
          written += bytes.size();
          if (written > stop_after) return resource_exhausted("the disk is full");
          return {};
        });
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code(), ErrorCode::kResourceExhausted);
    EXPECT_EQ(status.error().message(), "the disk is full");
  }
}

constexpr int64_t kChannels = 64;

std::vector<std::byte> bytes_of(const std::vector<float>& numbers) {
  const auto bytes = std::as_bytes(std::span(numbers));
  return {bytes.begin(), bytes.end()};
}

// A convolution whose weights are bytes with a scale of each channel, and with zero points of 3
// where they are uint8; or the same as float32.
onnx::Graph convolution(DType dtype, int64_t groups, bool is_wide) {
  const std::vector<int64_t> sizes = {kChannels, kChannels / groups, 3, 3};
  const int64_t inner = sizes[1] * 9;
  std::vector<std::byte> levels(static_cast<size_t>(kChannels * inner));
  std::vector<float> scales(kChannels);
  std::vector<float> wide(levels.size());
  for (size_t i = 0; i < levels.size(); ++i) {
    levels[i] = static_cast<std::byte>(i * 37 % 251);
    const size_t channel = i / static_cast<size_t>(inner);
    scales[channel] = 0.001F * static_cast<float>(channel % 7 + 1);
    const int level =
        dtype == DType::kInt8 ? static_cast<int8_t>(levels[i]) : static_cast<int>(levels[i]) - 3;
    wide[i] = static_cast<float>(level) * scales[channel];
  }
  onnx::Graph graph;
  graph.name = "convolution";
  graph.inputs = {{"x", DType::kFloat32, {1, kChannels, 5, 5}}};
  graph.outputs = {{"y", DType::kFloat32, {1, kChannels, 3, 3}}};
  if (is_wide) {
    graph.initializers.push_back({"w", DType::kFloat32, sizes, own_bytes(bytes_of(wide))});
  } else {
    graph.initializers.push_back({"levels", dtype, sizes, own_bytes(levels)});
    graph.initializers.push_back(
        {"scales", DType::kFloat32, {kChannels}, own_bytes(bytes_of(scales))});
    std::vector<std::string> inputs = {"levels", "scales"};
    if (dtype == DType::kUInt8) {
      graph.initializers.push_back(
          {"zeros", dtype, {kChannels}, own_bytes(std::vector(kChannels, std::byte{3}))});
      inputs.emplace_back("zeros");
    }
    graph.nodes.push_back({"DequantizeLinear", "w", inputs, {"w"}, {}, "", "", ""});
    graph.nodes.back().attributes = {{"axis", int64_t{0}}};
  }
  graph.nodes.push_back({"Conv", "convolution", {"x", "w"}, {"y"}, {}, "", "", ""});
  graph.nodes.back().attributes = {{"group", groups}};
  return graph;
}

TEST_F(LibraryTest, WeightsOfConvolutionsStayBytes) {
  Tensor x = *Tensor::zeros(DType::kFloat32, {1, kChannels, 5, 5});
  for (int64_t i = 0; i < x.numel(); ++i) {
    x.data_as<float>()[i] = 1.0F / static_cast<float>(i % 13 + 1);
  }
  const std::vector<Library::Tensors> inputs = {{x}};
  for (const DType dtype : {DType::kInt8, DType::kUInt8}) {
    for (const int64_t groups : {int64_t{1}, int64_t{4}}) {
      std::array<std::vector<std::byte>, 2> engines;
      std::array<std::vector<float>, 2> results;
      for (const bool is_wide : {false, true}) {
        const onnx::Graph graph = convolution(dtype, groups, is_wide);
        std::vector<std::byte>& engine = engines[is_wide];
        const Status status =
            library_->compile(message(graph), {{"INFERENCE_PRECISION_HINT", "f32"}},
                              [&](std::span<const std::byte> bytes) -> Status {
                                engine.insert(engine.end(), bytes.begin(), bytes.end());
                                return {};
                              });
        ASSERT_TRUE(status.ok()) << status.error().message();
        auto outputs = library_->run(engine, inputs);
        ASSERT_TRUE(outputs.ok()) << outputs.error().message();
        const Tensor& y = outputs->front().front();
        results[is_wide].assign(y.data_as<float>(), y.data_as<float>() + y.numel());
      }
      const auto weights = static_cast<size_t>(kChannels * kChannels / groups * 9);
      EXPECT_LT(engines[0].size() + 2 * weights, engines[1].size()) << groups;
      for (size_t i = 0; i < results[1].size(); ++i) {
        EXPECT_NEAR(results[0][i], results[1][i], 1e-5 * kChannels) << groups;
      }
    }
  }
}

TEST_F(LibraryTest, CompilesInSeveralThreads) {
  const onnx::Graph graph = product();
  const std::string model = message(graph);
  std::vector<size_t> sizes(3);
  std::vector<std::thread> threads;
  for (size_t& size : sizes) {
    threads.emplace_back([&] {
      const ByteSink count = [&](std::span<const std::byte> bytes) -> Status {
        size += bytes.size();
        return {};
      };
      if (!library_->compile(model, {}, count).ok()) size = 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const size_t size : sizes) EXPECT_GT(size, 1'200'000U);
}

TEST_F(LibraryTest, SaysWhyItRefusesAModel) {
  const ByteSink ignore = [](std::span<const std::byte>) -> Status { return {}; };
  onnx::Graph graph = product();
  graph.nodes[0].op_type = "NoSuchOperator";
  const Status unknown = library_->compile(message(graph), {}, ignore);
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(unknown.error().message().find("NoSuchOperator"), std::string::npos)
      << unknown.error().message();

  EXPECT_FALSE(library_->compile("this is no model", {}, ignore).ok());
  EXPECT_FALSE(library_->compile("", {}, ignore).ok());
  const onnx::Graph good = product();
  const std::string model = message(good);
  EXPECT_FALSE(library_->compile(model, {{"NO_SUCH_PROPERTY", "1"}}, ignore).ok());
  const Status device = library_->compile(model, {{"DEVICE", "NOWHERE"}}, ignore);
  ASSERT_FALSE(device.ok());
  EXPECT_NE(device.error().message().find("NOWHERE"), std::string::npos);
}

}  // namespace
}  // namespace slipway::openvino
