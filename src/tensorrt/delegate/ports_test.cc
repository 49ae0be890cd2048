#include "tensorrt/delegate/ports.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipway::tensorrt {
namespace {

namespace aten = executorch::aten;
using testing::ElementsAre;
using testing::HasSubstr;

IoTensor tensor(const std::string& name, bool is_input, DataType type = DataType::kFloat) {
  return {.name = name, .type = type, .shape = {2}, .is_input = is_input};
}

TEST(PlaceInName, IsTheNumberBehindInputOrOutput) {
  EXPECT_EQ(place_in_name("input.0", true), 0u);
  EXPECT_EQ(place_in_name("output_12", false), 12u);
  EXPECT_EQ(place_in_name("profile.input_3", true), 3u);
  for (const char* name : {"input", "input.", "input_", "input.foo", "input.3x", "3", "", "in_3",
                           "input3", "input.99999999999999999999999"}) {
    EXPECT_EQ(place_in_name(name, true), std::nullopt) << name;
  }
  EXPECT_EQ(place_in_name("input.0", false), std::nullopt);
}

TEST(Ports, AreOrderedByTheNumbersInTheirNames) {
  const auto ports =
      find_ports({}, {tensor("input_1", true), tensor("output_0", false), tensor("input_0", true)});
  ASSERT_TRUE(ports.ok()) << ports.error().message();
  ASSERT_EQ(ports->inputs.size(), 2u);
  EXPECT_EQ(ports->inputs[0].name, "input_0");
  EXPECT_EQ(ports->inputs[1].name, "input_1");
  EXPECT_THAT(ports->aliases, ElementsAre(std::nullopt));
  const auto twice = find_ports({}, {tensor("input_0", true), tensor("input.0", true)});
  EXPECT_EQ(twice.error().code(), ErrorCode::kInvalidFile);
  EXPECT_THAT(twice.error().message(), HasSubstr("has the place of another one"));
  const auto gap = find_ports({}, {tensor("input_0", true), tensor("input_2", true)});
  EXPECT_THAT(gap.error().message(), HasSubstr("the plan has no input 1"));
}

TEST(Ports, OfTheBlobHaveItsOrderAndAliases) {
  Metadata metadata;
  metadata.io_bindings = {{"b", "", {}, true}, {"a", "", {}, true}, {"c", "", {}, false}};
  metadata.aliased_io = {{"c", "a", "user"}};
  const auto ports =
      find_ports(metadata, {tensor("a", true), tensor("b", true), tensor("c", false)});
  ASSERT_TRUE(ports.ok()) << ports.error().message();
  EXPECT_EQ(ports->inputs[0].name, "b");
  EXPECT_THAT(ports->aliases, ElementsAre(1u));
}

TEST(Ports, OfTypesThatExecutorchLacksAreRefused) {
  constexpr auto kFp8 = static_cast<DataType>(6);
  const auto ports = find_ports({}, {tensor("input_0", true, kFp8)});
  EXPECT_EQ(ports.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(ports.error().message(), HasSubstr("input 'input_0' is of TensorRT's type 6"));
}

TEST(Ports, OfOtherFormatsAreRefused) {
  IoTensor packed = tensor("output_0", false);
  packed.is_linear = false;
  const auto ports = find_ports({}, {tensor("input_0", true), packed});
  EXPECT_EQ(ports.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(ports.error().message(), HasSubstr("output 'output_0' has another format"));
}

TEST(Ports, HaveExecutorchsTypes) {
  for (const auto& [type, expected] : {std::pair(DataType::kFloat, aten::ScalarType::Float),
                                       {DataType::kHalf, aten::ScalarType::Half},
                                       {DataType::kBfloat16, aten::ScalarType::BFloat16},
                                       {DataType::kInt8, aten::ScalarType::Char},
                                       {DataType::kUint8, aten::ScalarType::Byte},
                                       {DataType::kInt32, aten::ScalarType::Int},
                                       {DataType::kInt64, aten::ScalarType::Long},
                                       {DataType::kBool, aten::ScalarType::Bool}}) {
    EXPECT_EQ(to_port(tensor("x", true, type)).type, expected);
  }
  // TensorRT shows an output without dimensions as one with one.
  IoTensor scalar = tensor("y", false);
  scalar.shape = {1};
  EXPECT_FALSE(to_port(scalar).sizes);
  scalar.is_input = true;
  EXPECT_EQ(to_port(scalar).sizes, std::vector<int64_t>{1});
}

}  // namespace
}  // namespace slipway::tensorrt
