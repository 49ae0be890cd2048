// The integers of a call, and where they have no value.
#include "cuda/format/numbers.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cuda/format/engine_maker_test.h"

namespace slipway::cuda {
namespace {

using testing::HasSubstr;
using Kind = table::NumberKind;

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

// Nothing where there is no value.
std::optional<int64_t> compute(Kind kind, int64_t a, int64_t b, double factor = 0) {
  EngineMaker maker;
  const uint32_t first = maker.number(a);
  const uint32_t second = maker.number(b);
  const uint32_t result = maker.number(kind, first, second);
  maker.engine.numbers[result]->factor = factor;
  const auto values = evaluate(maker.engine, {});
  if (!values.ok()) {
    EXPECT_EQ(values.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(values.error().message(), HasSubstr(table::EnumNameNumberKind(kind)));
    return std::nullopt;
  }
  return values->at(result);
}

TEST(CudaNumbers, AreComputedAsPythonDoes) {
  EXPECT_EQ(compute(Kind::Add, 2, -3), -1);
  EXPECT_EQ(compute(Kind::Multiply, 4, -3), -12);
  EXPECT_EQ(compute(Kind::FloorDivide, 7, 2), 3);
  EXPECT_EQ(compute(Kind::FloorDivide, -7, 2), -4);
  EXPECT_EQ(compute(Kind::FloorDivide, 7, -2), -4);
  EXPECT_EQ(compute(Kind::FloorDivide, -8, 2), -4);
  EXPECT_EQ(compute(Kind::Modulo, 7, 3), 1);
  EXPECT_EQ(compute(Kind::Modulo, -7, 3), 2);
  EXPECT_EQ(compute(Kind::Modulo, 7, -3), -2);
  EXPECT_EQ(compute(Kind::Modulo, kLeast, -1), 0);
  EXPECT_EQ(compute(Kind::Minimum, 3, -1), -1);
  EXPECT_EQ(compute(Kind::Maximum, 3, -1), 3);
  EXPECT_EQ(compute(Kind::Power, -2, 3), -8);
  EXPECT_EQ(compute(Kind::Power, 5, 0), 1);
  EXPECT_EQ(compute(Kind::Power, 1, kMost), 1);
  EXPECT_EQ(compute(Kind::Power, 2, 62), int64_t{1} << 62);
  EXPECT_EQ(compute(Kind::Power, -2, 63), kLeast);
  EXPECT_EQ(compute(Kind::Scale, 7, 0, 1.5), 10);
  EXPECT_EQ(compute(Kind::Scale, -7, 0, 1.5), -10);
}

TEST(CudaNumbers, HaveNoValueWhereItDoesNotFit) {
  EXPECT_EQ(compute(Kind::Add, kMost, 1), std::nullopt);
  EXPECT_EQ(compute(Kind::Multiply, kMost, 2), std::nullopt);
  EXPECT_EQ(compute(Kind::FloorDivide, 1, 0), std::nullopt);
  EXPECT_EQ(compute(Kind::FloorDivide, kLeast, -1), std::nullopt);
  EXPECT_EQ(compute(Kind::Modulo, 1, 0), std::nullopt);
  EXPECT_EQ(compute(Kind::Power, 2, 63), std::nullopt);
  EXPECT_EQ(compute(Kind::Power, 3, kMost), std::nullopt);
  EXPECT_EQ(compute(Kind::Power, 2, -1), std::nullopt);
  EXPECT_EQ(compute(Kind::Scale, kMost, 0, 2), std::nullopt);
  EXPECT_EQ(compute(Kind::Scale, 1, 0, std::numeric_limits<double>::quiet_NaN()), std::nullopt);
}

TEST(CudaNumbers, ReadSizesAndElementsOfTheCall) {
  EngineMaker maker;
  maker.input({maker.number(0), maker.number(0)});
  maker.input({}, kLong);
  const uint32_t size = maker.number(Kind::Dimension, 0, 1);
  const uint32_t element = maker.number(Kind::Element, 1, 0);
  const uint32_t sum = maker.number(Kind::Add, size, element);
  const auto values = evaluate(maker.engine, {{{2, 3}, {}}, {0, 40}});
  ASSERT_TRUE(values.ok());
  EXPECT_EQ(values->at(sum), 43);
}

}  // namespace
}  // namespace slipway::cuda
