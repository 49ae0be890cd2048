#include "passes/view_step.h"

#include <set>

#include "ir/default_argument.h"
#include "passes/program_test.h"
#include "schema/schema.h"

namespace slipway::passes {
namespace {

using ir::MemoryFormat;
using ir::SymInt;
using ir::Value;
using Kind = ViewStep::Kind;

class ViewStepTest : public testing::Test, protected TestProgram {
 protected:
  Value* x_ = input("x", type({2, 3, 4}));

  std::optional<ViewStep> step(const std::string& op, std::vector<ir::Argument> args,
                               std::vector<ir::TensorType> types, size_t i = 0) {
    return view_step(*node(op, std::move(args), std::move(types), "view"), i);
  }
};

// An argument that fits a square matrix; `i` counts the integers before.
ir::Argument example(const schema::Parameter& parameter, Value* matrix, int64_t i) {
  if (const auto given = ir::default_argument(parameter)) return *given;
  switch (parameter.type.base) {
    case schema::BaseType::kTensor:
      return matrix;
    case schema::BaseType::kInt:
      if (parameter.type.list) return Ints{1, 0};
      return SymInt(i);
    case schema::BaseType::kBool:
      return false;
    case schema::BaseType::kScalarType:
      return DType::kFloat32;
    default:
      return ir::None();
  }
}

TEST_F(ViewStepTest, KnowsEveryViewOfATensor) {
  // Whose results are complex or their parts, or which cut where a tensor says.
  const std::set<std::string_view> kLeftOut = {"aten._conj.default",
                                               "aten._neg_view.default",
                                               "aten.imag.default",
                                               "aten.narrow.Tensor",
                                               "aten.view_as_complex.default",
                                               "aten.view_as_real.default",
                                               "aten.tensor_split.tensor_indices_or_sections"};
  size_t count = 0;
  Value* matrix = input("m", type({2, 2}));
  Value* cube = input("c", type({2, 2, 2}));
  for (const schema::Schema& op : schema::operators()) {
    const auto& alias = op.returns.empty() ? std::string() : op.returns[0].alias;
    if (alias.empty() || op.returns[0].is_mutable() || kLeftOut.contains(op.target())) continue;
    int64_t integers = 0;
    std::vector<ir::Argument> args;
    for (const schema::Parameter& parameter : op.parameters) {
      Value* tensor = op.target().starts_with("aten.dsplit.") ? cube : matrix;
      args.push_back(example(parameter, tensor, integers));
      if (parameter.type.base == schema::BaseType::kInt) ++integers;
    }
    ++count;
    EXPECT_TRUE(step(op.target(), std::move(args), {type({2, 2, 2})})) << op.target();
  }
  EXPECT_GT(count, 50U);
}

TEST_F(ViewStepTest, MovedDimensions) {
  const auto moved = step("aten.movedim.int", {x_, SymInt(0), SymInt(-1)}, {type({3, 4, 2})});
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->kind, Kind::kPermute);
  EXPECT_EQ(moved->dims, (std::vector<int64_t>{1, 2, 0}));
  const auto both = step("aten.moveaxis.intlist", {x_, Ints{0, 2}, Ints{2, 0}}, {type({4, 3, 2})});
  ASSERT_TRUE(both);
  EXPECT_EQ(both->dims, (std::vector<int64_t>{2, 1, 0}));
}

TEST_F(ViewStepTest, PartsAreSlices) {
  const auto second =
      step("aten.chunk.default", {x_, SymInt(2), SymInt(2)}, {type({2, 3, 2}), type({2, 3, 2})}, 1);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->kind, Kind::kSlice);
  EXPECT_EQ(second->dim, 2);
  EXPECT_EQ(*second->start, SymInt(2));
  EXPECT_EQ(second->end, SymInt(4));
  const auto third = step("aten.tensor_split.indices", {x_, Ints{3, -3}, SymInt(2)},
                          {type({2, 3, 3}), type({2, 3, 0}), type({2, 3, 3})}, 2);
  ASSERT_TRUE(third);
  EXPECT_EQ(*third->start, SymInt(1));
  EXPECT_EQ(third->end, SymInt(4));
  const auto row =
      step("aten.unbind.int", {x_, SymInt(1)}, {type({2, 4}), type({2, 4}), type({2, 4})}, 2);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->kind, Kind::kSelect);
  EXPECT_EQ(*row->start, SymInt(2));
  const auto last =
      step("aten.narrow.default", {x_, SymInt(1), SymInt(-2), SymInt(2)}, {type({2, 2, 4})});
  ASSERT_TRUE(last);
  EXPECT_EQ(*last->start, SymInt(1));
  EXPECT_EQ(last->end, SymInt(3));
}

TEST_F(ViewStepTest, FunctionalCopiesAreNamedAfterTheirViews) {
  const ir::Node* copy =
      node("aten.permute_copy.default", {x_, Ints{2, 0, 1}}, {type({4, 2, 3})}, "copy");
  const auto turned = view_step(*copy, 0);
  ASSERT_TRUE(turned);
  EXPECT_EQ(turned->dims, (std::vector<int64_t>{2, 0, 1}));
  EXPECT_FALSE(shares_memory(*copy, x_->type()));
}

TEST_F(ViewStepTest, WhatComputesIsNoView) {
  EXPECT_FALSE(step("aten.relu.default", {x_}, {x_->type()}));
  EXPECT_FALSE(step("aten.to.dtype", {x_, DType::kInt64}, {type({2, 3, 4}, DType::kInt64)}));
  EXPECT_FALSE(step("aten.dropout.default", {x_, 0.5, true}, {x_->type()}));
  EXPECT_FALSE(step("aten.permute.default", {x_, Ints{0, 1, 1}}, {x_->type()}));
}

TEST(ViewStridesTest, FollowsWhatLiesTogether) {
  EXPECT_EQ(view_strides({2, 3, 4}, {12, 4, 1}, {6, 4}), (Ints{4, 1}));
  EXPECT_EQ(view_strides({2, 3, 4}, {12, 4, 1}, {2, 1, 12}), (Ints{12, 12, 1}));
  EXPECT_EQ(view_strides({3, 4}, {1, 3}, {3, 2, 2}), (Ints{1, 6, 3}));
  EXPECT_EQ(view_strides({3, 4}, {1, 3}, {12}), std::nullopt);
  EXPECT_EQ(view_strides({1, 4}, {77, 1}, {4}), (Ints{1}));
  EXPECT_EQ(view_strides({3, 4}, {0, 1}, {3, 2, 2}), (Ints{0, 2, 1}));
  EXPECT_EQ(view_strides({0, 4}, {4, 1}, {2, 0}), (Ints{1, 1}));
  const SymInt s = SymInt::symbol("s0");
  EXPECT_EQ(view_strides({s, 3, 4}, {12, 4, 1}, {s * 3, 4}), (Ints{4, 1}));
}

TEST(MemoryFormatTest, IsReadOffTheStrides) {
  const ir::TensorType image{DType::kFloat32, {2, 3, 4, 5}, {60, 1, 15, 3}};
  EXPECT_FALSE(is_contiguous(image, {MemoryFormat::kContiguous}));
  EXPECT_TRUE(is_contiguous(image, {MemoryFormat::kChannelsLast}));
  EXPECT_TRUE(is_contiguous(image, {MemoryFormat::kPreserve}));
  const ir::TensorType one{DType::kFloat32, {1, 1, 4, 5}, {7, 7, 5, 1}};
  EXPECT_TRUE(is_contiguous(one, {MemoryFormat::kContiguous}));
}

}  // namespace
}  // namespace slipway::passes
