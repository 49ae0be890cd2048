#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::Graph;
using ir::SymInt;
using ir::Value;

class InlineRegionsTest : public testing::Test, protected TestProgram {
 protected:
  const ir::TensorType type_ = type({2, 2});
  Value* x_ = input("x", type_);

  // A graph of one tensor that calls `op` with it twice.
  static std::shared_ptr<Graph> twice(const std::string& op, const ir::TensorType& given,
                                      const ir::TensorType& result) {
    auto graph = std::make_shared<Graph>();
    Value* a = graph->add_input("a", given);
    ir::Node* node = graph->add_node(op, {a, a}, {.name = "inner"});
    graph->outputs().emplace_back(graph->add_output(node, result, "b"));
    return graph;
  }
  std::shared_ptr<Graph> product() { return twice("aten.matmul.default", type_, type_); }

  // A region with one tensor result, as an output of the program.
  void region(const std::string& op, std::vector<Argument> args, const ir::TensorType& result) {
    ir::Node* made = graph().add_node("higher_order." + op, std::move(args), {});
    output(graph().add_output(made, result, "y"));
  }
  void autocast(const std::string& device, bool enabled, std::shared_ptr<Graph> inside,
                const ir::TensorType& result) {
    region("wrap_with_autocast", {device, DType::kBFloat16, enabled, true, std::move(inside), x_},
           result);
  }
};

const Ops kProduct = {"aten.matmul.default"};

TEST_F(InlineRegionsTest, NoGrad) {
  region("wrap_with_set_grad_enabled", {false, product(), x_}, type_);
  ASSERT_TRUE(apply(inline_regions).ok());
  EXPECT_EQ(ops(), kProduct);
  EXPECT_EQ(at(0)->value(0), x_);
  EXPECT_EQ(result(0), at(0)->output());
}

TEST_F(InlineRegionsTest, OperandsAfterAName) {
  region("invoke_subgraph", {product(), std::string("name"), x_}, type_);
  ASSERT_TRUE(apply(inline_regions).ok());
  EXPECT_EQ(ops(), kProduct);
}

TEST_F(InlineRegionsTest, OperandsInAListAndHintsAfterThem) {
  region("hints_wrapper", {product(), std::vector<Value*>{x_}, ir::Dictionary{}, ir::Dictionary{}},
         type_);
  ASSERT_TRUE(apply(inline_regions).ok());
  EXPECT_EQ(ops(), kProduct);
}

TEST_F(InlineRegionsTest, SettingsOfACheckpointAfterItsOperands) {
  region("tag_activation_checkpoint", {product(), x_, false}, type_);
  ASSERT_TRUE(apply(inline_regions).ok());
  EXPECT_EQ(ops(), kProduct);
}

TEST_F(InlineRegionsTest, RegionsInRegionsAndAfterOneAnother) {
  auto outer = std::make_shared<Graph>();
  Value* a = outer->add_input("a", type_);
  ir::Node* inner =
      outer->add_node("higher_order.wrap_with_set_grad_enabled", {true, product(), a}, {});
  outer->outputs().emplace_back(outer->add_output(inner, type_, "b"));
  ir::Node* first =
      graph().add_node("higher_order.wrap_with_set_grad_enabled", {false, outer, x_}, {});
  Value* y = graph().add_output(first, type_, "y");
  region("wrap_with_set_grad_enabled", {false, product(), y}, type_);
  ASSERT_TRUE(apply(inline_regions).ok());
  EXPECT_EQ(ops(), (Ops{"aten.matmul.default", "aten.matmul.default"}));
  EXPECT_EQ(at(1)->value(0), at(0)->output());
}

TEST_F(InlineRegionsTest, AResultThatIsAnOperand) {
  auto inside = std::make_shared<Graph>();
  inside->outputs().emplace_back(inside->add_input("a", type_));
  region("wrap_with_set_grad_enabled", {false, inside, x_}, type_);
  ASSERT_TRUE(apply(inline_regions).ok());
  EXPECT_EQ(result(0), x_);
}

TEST_F(InlineRegionsTest, AutocastCastsWhatItsListsName) {
  const ir::TensorType half = type({2, 2}, DType::kBFloat16);
  autocast("cpu", true, twice("aten.matmul.default", type_, half), half);
  ASSERT_TRUE(apply(inline_regions).ok());
  EXPECT_EQ(ops(), (Ops{"aten._to_copy.default", "aten._to_copy.default", "aten.matmul.default"}));
  EXPECT_EQ(at(2)->value(0)->dtype(), DType::kBFloat16);
}

TEST_F(InlineRegionsTest, AutocastCastsNothingElse) {
  autocast("cpu", true, twice("aten.mul.Tensor", type_, type_), type_);
  ASSERT_TRUE(apply(inline_regions).ok());
  EXPECT_EQ(ops(), (Ops{"aten.mul.Tensor"}));
}

// What another device's autocast left alone shows in its result.
TEST_F(InlineRegionsTest, AutocastOfAnotherDevice) {
  autocast("cuda", true, product(), type_);
  ASSERT_TRUE(apply(inline_regions).ok());
  EXPECT_EQ(ops(), kProduct);
}

TEST_F(InlineRegionsTest, AutocastThatIsOff) {
  const ir::TensorType half = type({2, 2}, DType::kBFloat16);
  autocast("cpu", false, twice("aten.matmul.default", type_, half), half);
  ASSERT_TRUE(inline_regions(program).ok());
  EXPECT_EQ(ops(), kProduct);
}

TEST_F(InlineRegionsTest, AutocastRaisesHalvesToFloat32) {
  const ir::TensorType half = type({2, 2}, DType::kFloat16);
  Value* y = input("halves", half);
  auto inside = twice("aten.mse_loss.default", half, type({}));
  region("wrap_with_autocast", {std::string("cpu"), DType::kFloat16, true, true, inside, y},
         type({}));
  ASSERT_TRUE(inline_regions(program).ok());
  EXPECT_EQ(at(0)->op(), "aten._to_copy.default");
  EXPECT_EQ(at(0)->output()->dtype(), DType::kFloat32);
}

// Linear layers in torch.vmap are cast in parts, which the type of their result does not say.
TEST_F(InlineRegionsTest, AutocastInVmapIsRefused) {
  graph().add_node("torch._functorch.predispatch._vmap_increment_nesting",
                   {SymInt(2), std::string("error")}, {});
  autocast("cpu", false, product(), type_);
  ASSERT_TRUE(inline_regions(program).ok());
  autocast("cpu", true, product(), type_);
  const Status status = inline_regions(program);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message().find("run_decompositions()"), std::string::npos);
}

TEST_F(InlineRegionsTest, VmapInAutocastIsRefused) {
  std::shared_ptr<Graph> inside = product();
  inside->add_node("torch._functorch.predispatch._vmap_increment_nesting",
                   {SymInt(2), std::string("error")}, {});
  autocast("cpu", true, inside, type_);
  EXPECT_FALSE(inline_regions(program).ok());
}

// Not sound: left for the error that names the operator.
TEST_F(InlineRegionsTest, WhatDoesNotFitStays) {
  region("wrap_with_set_grad_enabled", {false, product()}, type_);             // no operand
  region("wrap_with_set_grad_enabled", {false, product(), x_}, type({3, 2}));  // another size
  region("wrap_with_set_grad_enabled", {false, product(), true}, type_);       // no tensor
  region("wrap_with_set_grad_enabled", {false, x_}, type_);                    // no graph
  region("cond", {x_, product(), product(), std::vector<Value*>{x_}}, type_);
  ASSERT_TRUE(inline_regions(program).ok());
  EXPECT_EQ(graph().nodes().size(), 5U);
}

}  // namespace
}  // namespace slipway::passes
