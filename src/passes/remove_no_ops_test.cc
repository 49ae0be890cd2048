#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::SymInt;
using ir::Value;

class RemoveNoOpsTest : public testing::Test, protected TestProgram {
 protected:
  Value* x_ = input("x", type({2, 3}));

  // Whether the operator goes away when it gives a tensor of this type.
  bool removes(const std::string& op, std::vector<ir::Argument> args, ir::TensorType result_type) {
    output(call(op, std::move(args), std::move(result_type), "result"));
    const Status status = apply(remove_no_ops);
    EXPECT_TRUE(status.ok()) << status.error().message();
    return graph().nodes().empty() && result(0) == x_;
  }
  std::string refusal() {
    const Status status = apply(remove_no_ops);
    return status.ok() ? "" : status.error().message();
  }
};

TEST_F(RemoveNoOpsTest, Detach) { EXPECT_TRUE(removes("aten.detach.default", {x_}, x_->type())); }
TEST_F(RemoveNoOpsTest, Clone) { EXPECT_TRUE(removes("aten.clone.default", {x_}, x_->type())); }
TEST_F(RemoveNoOpsTest, Lift) {
  EXPECT_TRUE(removes("aten.lift_fresh_copy.default", {x_}, x_->type()));
}
TEST_F(RemoveNoOpsTest, ConversionToTheSameType) {
  EXPECT_TRUE(removes("aten.to.dtype", {x_, DType::kFloat32}, x_->type()));
}
TEST_F(RemoveNoOpsTest, ConversionStays) {
  EXPECT_FALSE(removes("aten.to.dtype", {x_, DType::kInt64}, type({2, 3}, DType::kInt64)));
}
TEST_F(RemoveNoOpsTest, InactiveDropout) {
  EXPECT_TRUE(removes("aten.dropout.default", {x_, 0.5, false}, x_->type()));
}
TEST_F(RemoveNoOpsTest, ViewOfTheSameSizes) {
  EXPECT_TRUE(removes("aten.view.default", {x_, Ints{2, -1}}, x_->type()));
}
TEST_F(RemoveNoOpsTest, ViewOfOtherSizesStays) {
  EXPECT_FALSE(removes("aten.view.default", {x_, Ints{3, 2}}, type({3, 2})));
}
TEST_F(RemoveNoOpsTest, ExpandThatRepeatsNothing) {
  EXPECT_TRUE(removes("aten.expand.default", {x_, Ints{-1, 3}}, x_->type()));
}
TEST_F(RemoveNoOpsTest, WholeSlice) {
  EXPECT_TRUE(
      removes("aten.slice.Tensor", {x_, SymInt(1), SymInt(0), SymInt(INT64_MAX)}, x_->type()));
}
TEST_F(RemoveNoOpsTest, PartOfASliceStays) {
  EXPECT_FALSE(removes("aten.slice.Tensor", {x_, SymInt(1), SymInt(0), SymInt(2)}, type({2, 2})));
}
TEST_F(RemoveNoOpsTest, IdentityPermutation) {
  EXPECT_TRUE(removes("aten.permute.default", {x_, Ints{0, -1}}, x_->type()));
}
TEST_F(RemoveNoOpsTest, PermutationStays) {
  EXPECT_FALSE(removes("aten.permute.default", {x_, Ints{1, 0}}, type({3, 2})));
}
TEST_F(RemoveNoOpsTest, CatOfOne) {
  EXPECT_TRUE(removes("aten.cat.default", {std::vector<Value*>{x_}}, x_->type()));
}

TEST_F(RemoveNoOpsTest, PermutationOfEqualSizesStays) {
  Value* square = input("square", type({3, 3}));
  output(call("aten.t.default", {square}, square->type(), "turned"));
  ASSERT_TRUE(apply(remove_no_ops).ok());
  EXPECT_EQ(ops(), (Ops{"aten.t.default"}));
}

TEST_F(RemoveNoOpsTest, PermutationThatIsUndone) {
  Value* image = input("image", type({1, 2, 3, 4}));
  Value* there = call("aten.permute.default", {image, Ints{0, 2, 3, 1}}, type({1, 3, 4, 2}), "a");
  Value* back = call("aten.permute.default", {there, Ints{0, 3, 1, 2}}, image->type(), "b");
  output(back);
  ASSERT_TRUE(apply(remove_no_ops).ok());
  EXPECT_EQ(result(0), image);
}

TEST_F(RemoveNoOpsTest, CopyIntoATensorOfTheSameType) {
  Value* y = input("y", type({2, 3}));
  output(call("aten.copy.default", {x_, y}, x_->type(), "copied"));
  ASSERT_TRUE(apply(remove_no_ops).ok());
  EXPECT_EQ(result(0), y);
}

TEST_F(RemoveNoOpsTest, ChainsAreFollowed) {
  Value* a = call("aten.detach.default", {x_}, x_->type(), "a");
  Value* b = call("aten.clone.default", {a}, x_->type(), "b");
  output(call("aten.relu.default", {b}, x_->type(), "c"));
  ASSERT_TRUE(apply(remove_no_ops).ok());
  EXPECT_EQ(ops(), (Ops{"aten.relu.default"}));
  EXPECT_EQ(at(0)->value(0), x_);
}

TEST_F(RemoveNoOpsTest, AssertionsGo) {
  node("aten._assert_tensor_metadata.default", {x_, Ints{2, 3}, ir::None{}, DType::kFloat32}, {},
       "");
  output(x_);
  ASSERT_TRUE(apply(remove_no_ops).ok());
  EXPECT_TRUE(graph().nodes().empty());
}

TEST_F(RemoveNoOpsTest, AFalseAssertionIsAnError) {
  node("aten._assert_tensor_metadata.default", {x_, ir::None{}, ir::None{}, DType::kInt32}, {}, "");
  output(x_);
  EXPECT_NE(refusal().find("asserts the type int32, but its tensor is float32"), std::string::npos);
}

TEST_F(RemoveNoOpsTest, AssertionsOnSymbolsFollowTheirBounds) {
  program.ranges["s0"] = {4, 8};
  input("y", type({SymInt::symbol("s0")}));
  auto assert_at_least = [this](int64_t bound) {
    ir::Node* compare = node("_operator.ge", {SymInt::symbol("s0"), SymInt(bound)}, {}, "");
    Value* holds = graph().add_output(compare, ir::ValueKind::kSymBool, 0);
    node("aten._assert_scalar.default", {holds, std::string("too short")}, {}, "");
  };
  assert_at_least(2);
  assert_at_least(6);
  output(x_);
  EXPECT_EQ(refusal(), "");
  assert_at_least(9);
  EXPECT_NE(refusal().find("can never hold: too short"), std::string::npos);
}

TEST_F(RemoveNoOpsTest, SubGraphsAreCleaned) {
  auto branch = std::make_shared<ir::Graph>();
  Value* t = branch->add_input("t", x_->type());
  branch->outputs().emplace_back(
      ir::OpBuilder(*branch, nullptr, nullptr).call("aten.clone.default", {t}, x_->type()));
  Value* flag = input("flag", type({}, DType::kBool));
  output(call("higher_order.cond", {flag, branch, branch->clone(), std::vector<Value*>{x_}},
              x_->type(), "chosen"));
  ASSERT_TRUE(apply(remove_no_ops).ok());
  EXPECT_TRUE(branch->nodes().empty());
  EXPECT_EQ(std::get<Value*>(branch->outputs()[0]), t);
}

}  // namespace
}  // namespace slipway::passes
