// What decompose makes of single operators: the shape of the result, not its numbers, which the
// comparison with PyTorch checks.
#include <algorithm>
#include <limits>

#include <gmock/gmock.h>

#include "ir/scan.h"
#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::SymInt;
using ir::Value;

class DecomposeRulesTest : public testing::Test, protected TestProgram {
 protected:
  Value* x_ = input("x", type({2, 3}));

  // The operators that stand for one call in the end.
  Ops decomposed(const std::string& op, std::vector<ir::Argument> args,
                 std::vector<ir::TensorType> results) {
    for (Value* value : node(op, std::move(args), std::move(results), "result")->outputs()) {
      output(value);
    }
    const Status status = apply(decompose);
    EXPECT_TRUE(status.ok()) << status.error().message();
    EXPECT_TRUE(apply(remove_dead_code).ok());
    return ops();
  }
};

TEST_F(DecomposeRulesTest, KernelsStay) {
  EXPECT_EQ(decomposed("aten.relu.default", {x_}, {x_->type()}), Ops{"aten.relu.default"});
}

TEST_F(DecomposeRulesTest, WhatHasNoElementsIsNotComputed) {
  Value* index = input("index", type({0, 3}, DType::kInt64));
  EXPECT_EQ(decomposed("aten.gather.default", {x_, SymInt(0), index}, {type({0, 3})}),
            Ops{"aten.full.default"});
}

// The kernel of means loses digits of many numbers.
TEST_F(DecomposeRulesTest, MeansOfManyNumbersAreSums) {
  Value* few = input("few", type({2, 4096}));
  Value* many = input("many", type({2, 4097}));
  output(call("aten.mean.dim", {few, Ints{1}, false, ir::None{}}, type({2}), "mean"));
  EXPECT_EQ(decomposed("aten.mean.dim", {many, Ints{1}, false, ir::None{}}, {type({2})}),
            (Ops{"aten.mean.dim", "aten.sum.dim_IntList", "aten.div.Scalar"}));
}

TEST_F(DecomposeRulesTest, TypesThatTheKernelLacksAreWidened) {
  Value* bytes = input("bytes", type({1, 4, 4}, DType::kInt16));
  EXPECT_EQ(decomposed("aten.avg_pool2d.default",
                       {bytes, Ints{2, 2}, Ints{2, 2}, Ints{0, 0}, false, true, ir::None{}},
                       {type({1, 2, 2}, DType::kInt16)}),
            (Ops{"aten._to_copy.default", "aten.avg_pool2d.default", "aten._to_copy.default"}));
}

TEST_F(DecomposeRulesTest, NumbersStayNumbers) {
  EXPECT_EQ(decomposed("aten.mul.Tensor", {x_, 2.5}, {x_->type()}), Ops{"aten.mul.Scalar"});
}

TEST_F(DecomposeRulesTest, NumbersThatPromoteConvertTheTensorFirst) {
  Value* i = input("i", type({2}, DType::kInt64));
  EXPECT_EQ(decomposed("aten.add.Tensor", {i, 2.5}, {type({2})}),
            (Ops{"aten._to_copy.default", "aten.add.Scalar"}));
}

TEST_F(DecomposeRulesTest, ViewsBecomeCopiesThatTheEmitterMakesFree) {
  EXPECT_EQ(decomposed("aten.unsqueeze.default", {x_, SymInt(0)}, {type({1, 2, 3})}),
            Ops{"aten.view_copy.default"});
}

TEST_F(DecomposeRulesTest, PermutationsOfUnitDimensionsAreViews) {
  Value* row = input("row", type({1, 3}));
  EXPECT_EQ(decomposed("aten.t.default", {row}, {type({3, 1})}), Ops{"aten.view_copy.default"});
}

TEST_F(DecomposeRulesTest, SplitsAreSlices) {
  EXPECT_EQ(
      decomposed("aten.split.Tensor", {x_, SymInt(2), SymInt(1)}, {type({2, 2}), type({2, 1})}),
      (Ops{"aten.slice_copy.Tensor", "aten.slice_copy.Tensor"}));
}

// The linear kernel takes a weight as it lies.
TEST_F(DecomposeRulesTest, ProductsWithATransposedWeightAreLinear) {
  Value* weight = constant("weight", count({4, 3}, {3, 1}));
  Value* bias = constant("bias", count({4}, {1}));
  Value* turned = call("aten.permute.default", {weight, Ints{1, 0}}, type({3, 4}), "turned");
  EXPECT_EQ(decomposed("aten.addmm.default", {bias, x_, turned}, {type({2, 4})}),
            Ops{"aten.linear.default"});
  const Node* linear = at(0);
  EXPECT_EQ(linear->value(1), weight);
  EXPECT_EQ(linear->value(2), bias);
}

TEST_F(DecomposeRulesTest, MatmulWithAMatrixFoldsTheBatchByViews) {
  Value* batch = input("batch", type({5, 2, 3}));
  Value* matrix = input("matrix", type({3, 4}));
  EXPECT_EQ(decomposed("aten.matmul.default", {batch, matrix}, {type({5, 2, 4})}),
            (Ops{"aten.view_copy.default", "aten.mm.default", "aten.view_copy.default"}));
}

TEST_F(DecomposeRulesTest, PointwiseConvolutionsCopyNothing) {
  Value* image = input("image", type({1, 3, 8, 8}));
  Value* weight = constant("weight", count({4, 3, 1, 1}, {3, 1, 1, 1}));
  const Ops made = decomposed("aten.conv2d.default", {image, weight}, {type({1, 4, 8, 8})});
  EXPECT_EQ(std::count(made.begin(), made.end(), "aten.mm.default"), 1);
  EXPECT_EQ(std::count(made.begin(), made.end(), "aten.view_copy.default"),
            static_cast<std::ptrdiff_t>(made.size()) - 1);
}

TEST_F(DecomposeRulesTest, LargeConvolutionsMakeColumnsForOnePlaceAtATime) {
  Value* image = input("image", type({1, 64, 512, 512}));
  Value* weight = input("weight", type({8, 64, 3, 3}));
  const Ops made =
      decomposed("aten.conv2d.default", {image, weight, ir::None{}, Ints{1, 1}, Ints{1, 1}},
                 {type({1, 8, 512, 512})});
  EXPECT_EQ(std::count(made.begin(), made.end(), "aten.mm.default"), 9);
  EXPECT_EQ(std::count(made.begin(), made.end(), "aten.convolution.default"), 0);
}

// Rounded once, as PyTorch does.
TEST_F(DecomposeRulesTest, SumsOfHalvesAreMadeInFloat32) {
  Value* h = input("h", type({2, 3}, DType::kFloat16));
  Value* weight = input("weight", type({3, 4}, DType::kFloat16));
  EXPECT_EQ(decomposed("aten.mm.default", {h, weight}, {type({2, 4}, DType::kFloat16)}),
            (Ops{"aten._to_copy.default", "aten._to_copy.default", "aten.mm.default",
                 "aten._to_copy.default"}));
  EXPECT_EQ(at(2)->output()->dtype(), DType::kFloat32);
}

TEST_F(DecomposeRulesTest, HalvesThatAreNotAddedUpStay) {
  Value* h = input("h", type({2, 3}, DType::kBFloat16));
  EXPECT_EQ(decomposed("aten.relu.default", {h}, {h->type()}), Ops{"aten.relu.default"});
}

TEST_F(DecomposeRulesTest, NumbersAddedToHalvesAreHalves) {
  Value* h = input("h", type({2, 3}, DType::kFloat16));
  EXPECT_EQ(decomposed("aten.add.Tensor", {h, 0.1}, {h->type()}), Ops{"aten.add.Scalar"});
  EXPECT_EQ(at(0)->arg(1), ir::Argument(0.0999755859375));
}

TEST_F(DecomposeRulesTest, NumbersThatHalvesAreMultipliedByStay) {
  Value* h = input("h", type({2, 3}, DType::kFloat16));
  EXPECT_EQ(decomposed("aten.mul.Tensor", {h, 0.1}, {h->type()}), Ops{"aten.mul.Scalar"});
  EXPECT_EQ(at(0)->arg(1), ir::Argument(0.1));
}

// PyTorch's own decomposition does not round them.
TEST_F(DecomposeRulesTest, BoundsOfLogitAreHalves) {
  Value* h = input("h", type({2, 3}, DType::kFloat16));
  const Ops made = decomposed("aten.logit.default", {h, 1e-6}, {h->type()});
  EXPECT_EQ(made,
            (Ops{"aten.clamp.default", "aten.rsub.Scalar", "aten.div.Tensor", "aten.log.default"}));
  EXPECT_EQ(at(0)->arg(2), ir::Argument(1.0));
}

TEST_F(DecomposeRulesTest, AveragesOfDoublesAreAddedUpInDouble) {
  Value* image = input("image", type({1, 1, 3, 3}, DType::kFloat64));
  const Ops made = decomposed("aten.adaptive_avg_pool2d.default", {image, Ints{2, 2}},
                              {type({1, 1, 2, 2}, DType::kFloat64)});
  EXPECT_EQ(std::count(made.begin(), made.end(), "aten._adaptive_avg_pool2d.default"), 0);
  EXPECT_EQ(std::count(made.begin(), made.end(), "aten.mean.dim"), 4);
}

TEST_F(DecomposeRulesTest, PowersOfIntegersAreProducts) {
  Value* i = input("i", type({2}, DType::kInt64));
  EXPECT_EQ(decomposed("aten.pow.Tensor_Scalar", {i, SymInt(5)}, {i->type()}),
            (Ops{"aten.mul.Tensor", "aten.mul.Tensor", "aten.mul.Tensor"}));
}

// The other results of PyTorch's own decomposition, and its sizes of the norms, are not those that
// it computes.
TEST_F(DecomposeRulesTest, EachElementOfALineHasANormOfItsOwn) {
  Value* line = input("line", type({3}));
  const Ops made = decomposed("aten._weight_norm.default", {line, line, SymInt(0)}, {line->type()});
  EXPECT_EQ(std::count(made.begin(), made.end(), "aten.sum.dim_IntList"), 0);
  EXPECT_EQ(std::count(made.begin(), made.end(), "aten.sqrt.default"), 1);
}

TEST_F(DecomposeRulesTest, PowersOfFloatsStayWithTheKernel) {
  EXPECT_EQ(decomposed("aten.pow.Tensor_Scalar", {x_, SymInt(5)}, {x_->type()}),
            Ops{"aten.pow.Tensor_Scalar"});
}

TEST_F(DecomposeRulesTest, PaddingThatFillsAWindowIsMadeFirst) {
  Value* image = input("image", type({1, 1, 1, 5}));
  const Ops made =
      decomposed("aten.max_pool2d.default", {image, Ints{2, 2}, Ints{1, 1}, Ints{1, 1}, Ints{2, 2}},
                 {type({1, 1, 1, 5})});
  EXPECT_EQ(made.at(0), "aten.constant_pad_nd.default");
  EXPECT_EQ(at(0)->arg(2), ir::Argument(-std::numeric_limits<double>::infinity()));
}

TEST_F(DecomposeRulesTest, MaximaOfWindowsAreThoseOfSlices) {
  Value* image = input("image", type({1, 1, 6, 6}));
  const std::string slice = "aten.slice_copy.Tensor";
  const std::string maximum = "aten.maximum.default";
  EXPECT_EQ(
      decomposed("aten.max_pool2d.default", {image, Ints{2, 2}, Ints{2, 2}}, {type({1, 1, 3, 3})}),
      (Ops{slice, slice, maximum, slice, slice, maximum}));
}

TEST_F(DecomposeRulesTest, LongWindowsAreHalvedFirst) {
  Value* line = input("line", type({1, 1, 2000}));
  const Ops made = decomposed("aten.max_pool1d.default", {line, Ints{1000}, Ints{1}, Ints{0}},
                              {type({1, 1, 1001})});
  EXPECT_LT(std::count(made.begin(), made.end(), "aten.maximum.default"), 16);
}

TEST_F(DecomposeRulesTest, PlacesOfMaximaAreTheKernelsWithoutNan) {
  const std::vector<ir::TensorType> results(2, type({1, 1, 3, 3}, DType::kInt64));
  Value* integers = input("integers", type({1, 1, 6, 6}, DType::kInt64));
  const std::string kernel = "aten.max_pool2d_with_indices.default";
  EXPECT_EQ(decomposed(kernel, {integers, Ints{2, 2}, Ints{2, 2}, Ints{0, 0}, Ints{1, 1}}, results),
            Ops{kernel});
}

TEST_F(DecomposeRulesTest, PlacesInWindowsThatMayMissTheDepthAreRefused) {
  for (const int64_t depth : {1, 2}) {
    program = {};
    Value* volume = input("volume", type({1, 1, depth, 5, 5}));
    const Ints twos(3, 2);
    const ir::TensorType result = type({1, 1, depth, 5, 5});
    ir::TensorType places = result;
    places.dtype = DType::kInt64;
    const Node* pool = node("aten.max_pool3d_with_indices.default",
                            {volume, twos, Ints(3, 1), Ints(3, 1), twos}, {result, places}, "pool");
    for (Value* value : pool->outputs()) output(value);
    const Status status = apply(decompose);
    const std::string message = status.ok() ? "" : status.error().message();
    EXPECT_EQ(message.find("padding alone along the depth") != std::string::npos, depth == 1);
  }
}

TEST_F(DecomposeRulesTest, QuotientsThatAreQuantizedFitTheKernelsIntegers) {
  const std::string kernel = "quantized_decomposed.quantize_per_tensor.default";
  EXPECT_EQ(decomposed(kernel, {x_, 0.5, SymInt(0), SymInt(-128), SymInt(127), DType::kInt8},
                       {type({2, 3}, DType::kInt8)}),
            (Ops{"aten.clamp.default", kernel}));
  EXPECT_EQ(at(0)->arg(2), ir::Argument(536870912.0));
}

TEST_F(DecomposeRulesTest, ComplexProductsOfOneTypeStayWithTheKernel) {
  Value* z = input("z", type({2, 3}, DType::kComplex64));
  EXPECT_EQ(decomposed("aten.mul.Tensor", {z, z}, {z->type()}), Ops{"aten.mul.Tensor"});
}

TEST_F(DecomposeRulesTest, ComplexNumbersAreDividedByParts) {
  Value* z = input("z", type({2, 3}, DType::kComplex64));
  decomposed("aten.div.Tensor", {z, x_}, {z->type()});
  size_t divisions = 0;
  for (const auto& node : graph().nodes()) {
    if (node->op() != "aten.div.Tensor") continue;
    ++divisions;
    EXPECT_EQ(node->output()->dtype(), DType::kFloat32);
  }
  EXPECT_EQ(divisions, 2U);
}

TEST_F(DecomposeRulesTest, WhatNoKernelComputesForComplexNumbersIsRefused) {
  Value* z = input("z", type({2, 3}, DType::kComplex64));
  output(node("aten.sqrt.default", {z}, {z->type()}, "root")->output());
  const Status status = apply(decompose);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message().find("it is not computed for complex numbers"),
            std::string::npos)
      << status.error().message();
}

TEST_F(DecomposeRulesTest, AttentionWithoutAMaskLooksForNoEmptyRows) {
  Value* query = input("query", type({1, 2, 4, 8}));
  const Ops made = decomposed("aten.scaled_dot_product_attention.default", {query, query, query},
                              {query->type()});
  EXPECT_EQ(std::count(made.begin(), made.end(), "aten.bmm.default"), 2);
  EXPECT_EQ(std::count(made.begin(), made.end(), "aten._softmax.default"), 1);
  for (const char* op : {"aten.where.self", "aten.any.dim", "aten.masked_fill.Scalar"}) {
    EXPECT_EQ(std::count(made.begin(), made.end(), op), 0) << op;
  }
}

TEST_F(DecomposeRulesTest, WritingAWholeSliceIsFree) {
  Value* source = input("source", type({2, 3}));
  EXPECT_EQ(decomposed("aten.slice_scatter.default",
                       {x_, source, SymInt(0), SymInt(0), SymInt(INT64_MAX)}, {x_->type()}),
            Ops{});
  EXPECT_EQ(result(0), source);
}

TEST_F(DecomposeRulesTest, JoinsConvertToOneType) {
  Value* i = input("i", type({2, 3}, DType::kInt32));
  EXPECT_EQ(decomposed("aten.cat.default", {std::vector<Value*>{x_, i}}, {type({4, 3})}),
            (Ops{"aten._to_copy.default", "aten.cat.default"}));
}

TEST_F(DecomposeRulesTest, BranchesOfCondAreDecomposed) {
  auto branch = std::make_shared<Graph>();
  Value* inside = branch->add_input("inside", x_->type());
  Node* silu = branch->add_node("aten.silu.default", {inside}, {});
  branch->outputs() = {branch->add_output(silu, x_->type())};
  auto other = branch->clone();
  Value* condition = input("condition", type({}, DType::kBool));
  Node* cond = graph().add_node("higher_order.cond",
                                {condition, branch, other, std::vector<Value*>{x_}}, {});
  output(graph().add_output(cond, x_->type()));
  ASSERT_TRUE(apply(decompose).ok());
  EXPECT_EQ(ops(*branch), (Ops{"aten.sigmoid.default", "aten.mul.Tensor"}));
  EXPECT_EQ(ops(*other), ops(*branch));
}

TEST_F(DecomposeRulesTest, SizesKeepTheSymbolsThatOnlyTheyDefine) {
  const SymInt count = SymInt::symbol("u0");
  decomposed("aten.argwhere.default", {x_}, {type({count, 2}, DType::kInt64)});
  EXPECT_EQ(result(0)->sizes()[0], count);
}

TEST_F(DecomposeRulesTest, EveryUnsupportedOperatorIsNamedOnceWithItsCount) {
  Value* a = call("aten.special_bessel_j0.default", {x_}, x_->type(), "a");
  Value* b = call("aten.special_bessel_j0.default", {a}, x_->type(), "b");
  output(call("aten.i0.default", {b}, x_->type(), "c"));
  const Status status = apply(decompose);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kUnsupported);
  const std::string& text = status.error().message();
  EXPECT_NE(text.find("it has 2 operators that can't be compiled"), std::string::npos) << text;
  EXPECT_NE(text.find("aten.special_bessel_j0.default, 2 times, first: node"), std::string::npos)
      << text;
  EXPECT_NE(text.find("aten.i0.default, once: node"), std::string::npos) << text;
}

TEST_F(DecomposeRulesTest, ARuleSaysWhyItDoesNotApply) {
  Value* steps = input("steps", type({0, 2, 3}));
  Value* state = input("state", type({1, 2, 3}));
  Value* w = input("w", type({3, 3}));
  for (Value* value :
       node("aten.rnn_tanh.input",
            {steps, state, std::vector<Value*>{w, w}, false, SymInt(1), 0.0, false, false, false},
            {type({0, 2, 3}), type({1, 2, 3})}, "rnn")
           ->outputs()) {
    output(value);
  }
  const Status status = apply(decompose);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message().find("its sequence are inconsistent"), std::string::npos)
      << status.error().message();
}

// --- What is unrolled ---

class UnrolledTest : public testing::Test, protected TestProgram {
 protected:
  void rnn(const SymInt& steps) {
    Value* x = input("x", type({steps, 2, 3}));
    Value* state = input("state", type({1, 2, 3}));
    Value* w = input("w", type({3, 3}));
    add("aten.rnn_tanh.input",
        {x, state, std::vector<Value*>{w, w}, false, SymInt(1), 0.0, false, false, false},
        {type({steps, 2, 3}), type({1, 2, 3})});
  }
  void add(const std::string& op, std::vector<ir::Argument> args,
           std::vector<ir::TensorType> results) {
    for (Value* value : node(op, std::move(args), std::move(results), "result")->outputs()) {
      output(value);
    }
  }
  std::string refusal() {
    const Status status = apply(decompose);
    EXPECT_LT(ops().size(), 100U);
    return status.ok() ? "" : status.error().message();
  }
};

TEST_F(UnrolledTest, LongSequencesAreLoops) {
  std::vector<size_t> counts;
  for (const SymInt& steps :
       {SymInt(4), SymInt(8), SymInt(1000), SymInt(100'000'000), SymInt::symbol("s0")}) {
    program = {};
    rnn(steps);
    ASSERT_TRUE(apply(decompose).ok());
    ASSERT_TRUE(apply(remove_dead_code).ok());
    counts.push_back(ops().size());
    EXPECT_EQ(testing::Value(ops(), testing::Contains(ir::kScan)), counts.size() > 2);
  }
  EXPECT_GT(counts[1], counts[0]);
  EXPECT_EQ(counts[2], counts[3]);
  EXPECT_EQ(counts[2], counts[4]);
}

TEST_F(UnrolledTest, ManyWindowsOfDifferentWidthsAreRefused) {
  add("aten.adaptive_max_pool1d.default", {input("x", type({1, 1, 1'000'003})), Ints{1'000'000}},
      {type({1, 1, 1'000'000}), type({1, 1, 1'000'000}, DType::kInt64)});
  EXPECT_NE(refusal().find("it has 1000000 windows along a dimension"), std::string::npos)
      << refusal();
}

TEST_F(UnrolledTest, LargeKernelsOfColumnsAreRefused) {
  add("aten.im2col.default",
      {input("x", type({1, 1, 100'000, 8})), Ints{50'000, 1}, Ints{1, 1}, Ints{0, 0}, Ints{1, 1}},
      {type({1, 50'000, 400'008})});
  EXPECT_NE(refusal().find("it has 50000 places of its kernel"), std::string::npos) << refusal();
}

TEST_F(UnrolledTest, LargeKernelsOfImagesAreRefused) {
  add("aten.col2im.default",
      {input("x", type({1, 50'000, 8})), Ints{50'000, 8}, Ints{50'000, 1}, Ints{1, 1}, Ints{0, 0},
       Ints{1, 1}},
      {type({1, 1, 50'000, 8})});
  EXPECT_NE(refusal().find("it has 50000 places of its kernel"), std::string::npos) << refusal();
}

}  // namespace
}  // namespace slipway::passes
