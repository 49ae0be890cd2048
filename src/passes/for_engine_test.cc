#include <algorithm>
#include <set>

#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::ConstantData;
using ir::SymInt;
using ir::Value;

// An engine that leaves some operators outside.
class ForEngineTest : public testing::Test, protected TestProgram {
 protected:
  Value* x_ = input("x", type({4}));
  std::set<std::string> refused_;
  std::set<std::string> excluded_;
  std::set<std::string> not_computed_;
  EngineChoice engine_{
      .takes = [this](const ir::Node& node) { return !refused_.contains(node.op()); },
      .is_excluded = [this](const ir::Node& node) { return excluded_.contains(node.op()); }};

  // Stands for a run: zeros everywhere, and a failure where there are operators that it lacks.
  Evaluator zeros() {
    return [this](const ir::Program& computed) -> Result<std::vector<ConstantData>> {
      EXPECT_TRUE(ir::verify(computed).ok()) << ir::print(computed);
      for (const std::string& op : ops(*computed.graph)) {
        if (not_computed_.contains(op)) return Error(ErrorCode::kUnsupported, "not computed");
      }
      std::vector<ConstantData> results;
      for (const ir::Argument& output : computed.graph->outputs()) {
        const Value* value = std::get<Value*>(output);
        ConstantData data;
        data.dtype = value->dtype();
        for (const SymInt& size : value->sizes()) data.sizes.push_back(*size.constant());
        for (const SymInt& stride : ir::contiguous_strides(value->sizes())) {
          data.strides.push_back(*stride.constant());
        }
        data.storage = own_bytes(std::vector<std::byte>(data.nbytes()));
        results.push_back(std::move(data));
      }
      return results;
    };
  }
  void fold() {
    const Status status = apply(fold_for_engine, zeros(), engine_);
    ASSERT_TRUE(status.ok()) << status.error().message();
  }
  void decompose() {
    const Status status = apply(decompose_for_engine, engine_);
    ASSERT_TRUE(status.ok()) << status.error().message();
  }
  // An input and int8 weights with scales of groups, which the engine does not take whole.
  void add_groups() {
    refused_ = {"quantized_decomposed.dequantize_per_channel_group.default"};
    ConstantData weight = count({2, 4}, {4, 1});
    weight.dtype = DType::kInt8;
    Value* w = constant("w", std::move(weight));
    Value* scales = constant("scales", count({2, 2}, {2, 1}));
    Value* wide = call(
        "quantized_decomposed.dequantize_per_channel_group.default",
        {w, scales, ir::None(), SymInt(-8), SymInt(7), DType::kInt8, SymInt(2), DType::kFloat32},
        type({2, 4}), "wide");
    output(call("aten.add.Tensor", {input("z", type({2, 4})), wide}, type({2, 4}), "y"));
  }
  // int8 weights in float32, times an input.
  void multiply_converted() {
    constexpr int64_t kSize = 1 << 20;
    ConstantData weight = count({kSize}, {1}, 0, kSize);
    weight.dtype = DType::kInt8;
    Value* w = constant("w", std::move(weight));
    Value* converted = call("aten.to.dtype", {w, DType::kFloat32}, type({kSize}), "converted");
    Value* scale = input("scale", type({kSize}));
    output(call("aten.mul.Tensor", {converted, scale}, type({kSize}), "product"));
  }
};

TEST_F(ForEngineTest, AChainOfConstantsIsAConstant) {
  refused_ = {"aten.cos.default"};
  Value* c = constant("c", count({4}, {1}));
  Value* cos = call("aten.cos.default", {c}, c->type(), "cos");
  Value* neg = call("aten.neg.default", {cos}, c->type(), "neg");
  output(call("aten.add.Tensor", {x_, neg}, x_->type(), "sum"));
  fold();
  EXPECT_EQ(ops(), (Ops{"aten.add.Tensor"}));
  EXPECT_NE(program.input_of(at(0)->value(1)), nullptr);
}

TEST_F(ForEngineTest, AConvolutionOfConstantsIsFoldedWithoutABiasThatIsGiven) {
  const auto add_convolution = [this](Value* data, Value* bias) {
    Value* weight = constant("weight", count({4, 2, 2}, {4, 2, 1}));
    output(call("aten.convolution.default",
                {data, weight, bias, Ints{1}, Ints{0}, Ints{1}, false, Ints{0}, SymInt(1)},
                type({1, 4, 4}), "convolution"));
  };
  Value* data = constant("data", count({1, 2, 5}, {10, 5, 1}));
  add_convolution(call("aten.neg.default", {data}, data->type(), "negative"), x_);
  add_convolution(input("y", type({1, 2, 5})), x_);
  fold();
  EXPECT_EQ(ops(), (Ops{"aten.view_copy.default", "aten.add.Tensor", "aten.convolution.default"}));
  EXPECT_NE(program.input_of(at(1)->value(0)), nullptr);
}

TEST_F(ForEngineTest, ConversionsThatTheEngineTakesStaySmall) {
  multiply_converted();
  fold();
  EXPECT_EQ(ops(), (Ops{"aten.to.dtype", "aten.mul.Tensor"}));
}

TEST_F(ForEngineTest, ConversionsThatTheEngineRefusesAreDone) {
  refused_ = {"aten.to.dtype"};
  multiply_converted();
  fold();
  EXPECT_EQ(ops(), (Ops{"aten.mul.Tensor"}));
}

TEST_F(ForEngineTest, WhatNoEngineNodeNeedsDoesNotGrow) {
  refused_ = {"aten.to.dtype", "aten.mul.Tensor"};
  multiply_converted();
  fold();
  EXPECT_EQ(ops(), (Ops{"aten.to.dtype", "aten.mul.Tensor"}));
}

TEST_F(ForEngineTest, TablesMadeOfNothingHaveABound) {
  refused_ = {"aten.eye.default"};
  const auto add_eye = [this](int64_t n) {
    Value* eye = call("aten.eye.default", {SymInt(n)}, type({n, n}), "eye");
    Value* other = input("other", type({n, n}));
    output(call("aten.add.Tensor", {eye, other}, type({n, n}), "sum"));
  };
  add_eye(1000);
  add_eye(100000);
  fold();
  EXPECT_EQ(ops(), (Ops{"aten.add.Tensor", "aten.eye.default", "aten.add.Tensor"}));
}

TEST_F(ForEngineTest, SourcesAndViewsAreTheEngines) {
  Value* c = constant("c", count({2, 3}, {3, 1}));
  Value* turned = call("aten.permute.default", {c, Ints{1, 0}}, type({3, 2}), "turned");
  output(call("aten.relu.default", {call("aten.ones.default", {Ints{4}}, type({4}), "ones")},
              type({4}), "made"));
  Value* y = input("y", type({3, 2}));
  output(call("aten.add.Tensor", {y, turned}, type({3, 2}), "sum"));
  fold();
  EXPECT_EQ(ops(), (Ops{"aten.permute.default", "aten.add.Tensor"}));
}

TEST_F(ForEngineTest, ViewsOfBytesAreConstants) {
  ConstantData weight = count({2, 3}, {3, 1});
  weight.dtype = DType::kInt8;
  Value* w = constant("w", std::move(weight));
  const auto add = [&](const char* op) {
    Value* turned = call(op, {w, Ints{1, 0}}, type({3, 2}, DType::kInt8), "turned");
    output(call("aten.to.dtype", {turned, DType::kFloat32}, type({3, 2}), "converted"));
  };
  add("aten.permute.default");
  excluded_ = {"aten.permute_copy.default"};
  add("aten.permute_copy.default");
  const Status status = apply(fold_for_engine, zeros(), engine_);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(ops(), (Ops{"aten.to.dtype", "aten.permute_copy.default", "aten.to.dtype"}));
  const ir::Input* turned = program.input_of(at(0)->value(0));
  ASSERT_NE(turned, nullptr);
  EXPECT_EQ(turned->data->strides, (std::vector<int64_t>{1, 3}));
}

// Weights of 8 bits that the engine does not take whole stay so for one that packs what they are
// decomposed into, and are folded for others.
TEST_F(ForEngineTest, BytesWaitForTheirDecompositionWhereTheEnginePacksThem) {
  add_groups();
  engine_.packs_decomposed_weights = true;
  fold();
  EXPECT_EQ(ops().size(), 2u);
  decompose();
  fold();
  EXPECT_THAT(ops(), testing::Contains("aten.mul.Tensor"));
}

TEST_F(ForEngineTest, BytesBecomeFloatsForOtherEngines) {
  add_groups();
  fold();
  EXPECT_EQ(ops(), (Ops{"aten.add.Tensor"}));
}

TEST_F(ForEngineTest, WhatKernelsCannotComputeStaysAndTheRestIsFolded) {
  not_computed_ = {"aten.sin.default"};
  Value* c = constant("c", count({4}, {1}));
  output(call("aten.sin.default", {c}, c->type(), "sin"));
  output(call("aten.neg.default", {c}, c->type(), "neg"));
  fold();
  EXPECT_EQ(ops(), (Ops{"aten.sin.default"}));
  EXPECT_NE(program.input_of(result(1)), nullptr);
}

TEST_F(ForEngineTest, WhatTheUserExcludesIsNotTouched) {
  excluded_ = {"aten.neg.default", "aten.logaddexp.default"};
  refused_ = {"aten.logaddexp.default"};
  Value* c = constant("c", count({4}, {1}));
  output(call("aten.neg.default", {c}, c->type(), "neg"));
  output(call("aten.logaddexp.default", {x_, x_}, x_->type(), "sum"));
  fold();
  decompose();
  EXPECT_EQ(ops(), (Ops{"aten.neg.default", "aten.logaddexp.default"}));
}

TEST_F(ForEngineTest, WhatARuleLeavesOutsideIsNotExpressedByOthers) {
  refused_ = {"aten.logaddexp.default"};
  engine_.is_left_whole = [](const ir::Node& node) {
    return node.op() == "aten.logaddexp.default";
  };
  output(call("aten.logaddexp.default", {x_, x_}, x_->type(), "sum"));
  decompose();
  EXPECT_EQ(ops(), (Ops{"aten.logaddexp.default"}));
  engine_.is_left_whole = [](const ir::Node&) { return false; };
  decompose();
  EXPECT_NE(ops(), (Ops{"aten.logaddexp.default"}));
}

TEST_F(ForEngineTest, RulesApplyWhereTheEngineTakesAllThatTheyGive) {
  refused_ = {"aten.cosine_similarity.default"};
  Value* y = input("y", type({2, 4}));
  const auto add = [&] {
    output(call("aten.cosine_similarity.default", {y, y, SymInt(1), 1e-8}, type({2}), "similar"));
  };
  add();
  decompose();
  const Ops after = ops();
  EXPECT_GT(after.size(), 1U);
  EXPECT_EQ(std::count(after.begin(), after.end(), "aten.cosine_similarity.default"), 0);

  // One of what it gives is outside: nothing changes.
  refused_.insert(after.begin(), after.end());
  add();
  const size_t inputs = program.inputs.size();
  decompose();
  EXPECT_EQ(ops().size(), after.size() + 1);
  EXPECT_EQ(ops().back(), "aten.cosine_similarity.default");
  EXPECT_EQ(program.inputs.size(), inputs);
}

TEST_F(ForEngineTest, TheEngineNeedNotTakeTheConstantsThatARuleMakes) {
  Value* image = input("image", type({1, 3, 8, 8}, DType::kUInt8));
  refused_ = {"aten.upsample_bicubic2d.vec", "aten.pow.Scalar", "aten.trunc.default",
              "aten.minimum.default"};
  output(call("aten.upsample_bicubic2d.vec", {image, Ints{5, 12}, false, ir::None{}},
              type({1, 3, 5, 12}, DType::kUInt8), "resized"));
  decompose();
  const Ops after = ops();
  EXPECT_EQ(std::count(after.begin(), after.end(), "aten.upsample_bicubic2d.vec"), 0);
  EXPECT_EQ(std::count(after.begin(), after.end(), "aten.index_select.default"), 8);
}

TEST_F(ForEngineTest, WrittenOutLoopsStayOneNode) {
  refused_ = {"aten.cumprod.default"};
  const auto add = [&](int64_t n) {
    Value* y = input("y", type({n}));
    output(call("aten.cumprod.default", {y, SymInt(0)}, type({n}), "product"));
  };
  add(8);
  decompose();
  const Ops few = ops();
  EXPECT_EQ(std::count(few.begin(), few.end(), "aten.cumprod.default"), 0);
  add(1000);
  decompose();
  EXPECT_EQ(ops().size(), few.size() + 1);
  EXPECT_EQ(ops().back(), "aten.cumprod.default");
}

}  // namespace
}  // namespace slipway::passes
