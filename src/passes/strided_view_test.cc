#include "passes/strided_view.h"

#include <gtest/gtest.h>

namespace slipway::passes {
namespace {

using ir::SymInt;
using ir::TensorType;
using Kind = ViewStep::Kind;

ViewStep as_strided(std::vector<SymInt> sizes, std::vector<SymInt> strides, SymInt start) {
  ViewStep step;
  step.kind = Kind::kAsStrided;
  step.sizes = std::move(sizes);
  step.strides = std::move(strides);
  step.start = std::move(start);
  return step;
}

Result<std::vector<int64_t>> positions_of(const ViewStep& step) {
  return positions(step, {DType::kFloat32, {3, 4}, {}}, {DType::kFloat32, step.sizes, {}});
}

std::string refusal(const ViewStep& step) {
  const auto list = positions_of(step);
  return list.ok() ? "" : list.error().message();
}

TEST(StridedViewTest, OrderOfMemory) {
  const TensorType contiguous{DType::kFloat32, {2, 3, 4}, {12, 4, 1}};
  EXPECT_EQ(memory_order(contiguous), (std::vector<int64_t>{0, 1, 2}));
  const TensorType turned{DType::kFloat32, {2, 3, 4}, {1, 2, 6}};
  EXPECT_EQ(memory_order(turned), (std::vector<int64_t>{2, 1, 0}));
  const TensorType gaps{DType::kFloat32, {2, 3}, {6, 1}};
  EXPECT_EQ(memory_order(gaps), std::nullopt);
}

TEST(StridedViewTest, OrderOfMemoryOfAChannelsLastTensorOfAnySize) {
  const SymInt s = SymInt::symbol("s0");
  const TensorType image{DType::kFloat32, {s, 3, s, s}, {s * s * 3, 1, s * 3, 3}};
  EXPECT_EQ(memory_order(image), (std::vector<int64_t>{0, 2, 3, 1}));
}

TEST(StridedViewTest, PositionsInTheViewsOrder) {
  const auto list = positions_of(as_strided({2, 2}, {1, 5}, 1));
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(*list, (std::vector<int64_t>{1, 6, 2, 7}));
}

TEST(StridedViewTest, PositionsOfADiagonalBelowTheMainOne) {
  ViewStep step;
  step.kind = Kind::kDiagonal;
  step.dim2 = 1;
  step.start = SymInt(-1);
  const auto list = positions(step, {DType::kFloat32, {3, 4}, {}}, {DType::kFloat32, {2}, {}});
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(*list, (std::vector<int64_t>{4, 9}));
}

TEST(StridedViewTest, RefusesWhatIsNotAPlaceForEachElement) {
  EXPECT_EQ(refusal(as_strided({3, 3}, {1, 1}, 0)), "elements of the view share memory");
  EXPECT_EQ(refusal(as_strided({3, 3}, {1, 5}, 0)), "the view leaves its tensor");
  EXPECT_EQ(refusal(as_strided({2}, {1}, -1)), "the view leaves its tensor");
  EXPECT_EQ(refusal(as_strided({3}, {INT64_MAX}, 1)), "the view leaves its tensor");
  EXPECT_EQ(refusal(as_strided({SymInt::symbol("s0")}, {1}, 0)), "the view's sizes are not fixed");
  EXPECT_EQ(refusal(as_strided({1 << 20, 2}, {2, 1}, 0)),
            "the view has more than 1048576 elements");
}

}  // namespace
}  // namespace slipway::passes
