#include "openvino/library/library.h"

#include <algorithm>
#include <array>
#include <cstring>
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
