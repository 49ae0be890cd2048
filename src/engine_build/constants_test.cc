#include "engine_build/constants.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace slipway::engine_build {
namespace {

std::vector<std::byte> filled(size_t size, int value) {
  return std::vector<std::byte>(size, static_cast<std::byte>(value));
}

onnx::Initializer produced(const std::string& name, size_t promised, size_t given, int value) {
  return {
      name, DType::kUInt8, {static_cast<int64_t>(promised)}, {promised, [=](const ByteSink& sink) {
                                                                const auto bytes =
                                                                    filled(given, value);
                                                                return sink(bytes);
                                                              }}};
}

TEST(Constants, LayOutWhatIsProducedAndLeaveTheRestInPlace) {
  onnx::Graph graph;
  const auto span = own_bytes(filled(10, 1));
  graph.initializers.push_back({"a", DType::kUInt8, {10}, span});
  graph.initializers.push_back(produced("b", 100, 100, 2));
  graph.initializers.push_back(produced("c", 7, 7, 3));
  auto constants = Constants::of(graph);
  ASSERT_TRUE(constants.ok()) << constants.error().message();
  EXPECT_EQ(constants->nbytes(), 117u);
  EXPECT_EQ(constants->bytes(graph.initializers[0]).data(), span.bytes.data());
  for (const int i : {1, 2}) {
    const auto bytes = constants->bytes(graph.initializers[static_cast<size_t>(i)]);
    EXPECT_EQ(std::vector<std::byte>(bytes.begin(), bytes.end()), filled(i == 1 ? 100 : 7, i + 1));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes.data()) % 64, 0u);
  }
}

TEST(Constants, ThatGiveOtherThanTheyPromiseAreAnError) {
  onnx::Graph graph;
  graph.initializers.push_back(produced("short", 100, 99, 2));
  auto constants = Constants::of(graph);
  ASSERT_FALSE(constants.ok());
  EXPECT_EQ(constants.error().message(), "short: a producer wrote 99 of the 100 bytes it promised");
}

}  // namespace
}  // namespace slipway::engine_build
