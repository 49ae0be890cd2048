#include <gtest/gtest.h>

#include "ir/program.h"

namespace slipway::ir {
namespace {

TensorType tensor(std::vector<SymInt> sizes) { return {DType::kFloat32, std::move(sizes), {}}; }

// y = x + c
class VerifierTest : public testing::Test {
 protected:
  VerifierTest() {
    Input input;
    input.name = "x";
    x_ = input.value = program_.graph->add_input("x", tensor({2}));
    program_.inputs.push_back(input);
    ConstantData data{DType::kFloat32, {2}, {1}, 0, own_bytes(std::vector<std::byte>(8))};
    c_ = program_.add_constant("c", data);
    add_ = program_.graph->add_node("aten.add.Tensor", {x_, c_, SymInt(1)}, {});
    y_ = program_.graph->add_output(add_, tensor({2}));
    program_.graph->outputs() = {y_};
    program_.outputs = {{OutputKind::kUserOutput, ""}};
  }

  void expect_error(const std::string& part) {
    Status status = verify(program_);
    ASSERT_FALSE(status.ok());
    EXPECT_NE(status.error().message().find(part), std::string::npos) << status.error().message();
  }

  Program program_;
  Value* x_;
  Value* c_;
  Node* add_;
  Value* y_;
};

TEST_F(VerifierTest, AcceptsAProgram) {
  EXPECT_TRUE(verify(program_).ok()) << verify(program_).error().message();
}

TEST_F(VerifierTest, FindsUsesBeforeDefinitions) {
  program_.graph->add_node("aten.neg.default", {y_}, {.before = add_, .name = "early"});
  expect_error("node early (aten.neg.default): an argument uses add before it is defined");
}

TEST_F(VerifierTest, FindsWrongArguments) {
  add_->args().pop_back();
  expect_error("node add (aten.add.Tensor): it has 2 arguments, and the operator takes 3");
  add_->args().push_back(std::string("one"));
  expect_error("argument alpha is \"one\", which is not of type Scalar");
  add_->args()[2] = SymInt(1);
  add_->args()[1] = None();
  expect_error("argument other is None, which is not of type Tensor");
}

TEST_F(VerifierTest, FindsUsesOfAbsentValues) {
  Node* node = program_.graph->add_node("library.op.default", {x_}, {});
  Value* absent = program_.graph->add_output(node, ValueKind::kAbsent, 0, "nothing");
  EXPECT_TRUE(verify(program_).ok());
  program_.graph->add_node("library.op.default", {Dictionary{{{"a", absent}}}}, {});
  expect_error("an argument uses nothing, which holds nothing");
}

TEST_F(VerifierTest, KnowsListsOfNumbersAndValues) {
  Value* number = program_.graph->add_output(
      program_.graph->add_node("torch.sym_float", {SymInt(2)}, {.name = "f"}), ValueKind::kSymFloat,
      0);
  Node* node = program_.graph->add_node(
      "aten.upsample_nearest1d.vec", {x_, None(), std::vector<FloatItem>{number}}, {.name = "up"});
  program_.graph->add_output(node, tensor({4}));
  EXPECT_TRUE(verify(program_).ok()) << verify(program_).error().message();
  node->args()[2] = std::vector<FloatItem>{x_};
  expect_error("argument scale_factors is [%x], which is not of type float[]?");
}

TEST_F(VerifierTest, FindsWrongResults) {
  program_.graph->add_output(add_, tensor({2}));
  expect_error("it has 2 results, and the operator gives 1");
}

TEST_F(VerifierTest, FindsSizesThatDoNotFit) {
  y_->set_type(tensor({SymInt(INT64_MAX) + 1}));
  expect_error("add has the size <overflow>");
  y_->set_type(tensor({-1}));
  expect_error("add has the size -1");
  y_->set_type(tensor({INT64_MAX / 2}));
  expect_error("the bytes of add do not fit");
  y_->set_type({DType::kFloat32, {2}, {1, 1}});
  expect_error("add has 1 sizes and 2 strides");
}

TEST_F(VerifierTest, FindsSignaturesThatDoNotFit) {
  program_.outputs.clear();
  expect_error("the graph has 1 outputs, and the signature 0");
  program_.outputs = {{OutputKind::kBufferMutation, "c"}};
  EXPECT_TRUE(verify(program_).ok());
  program_.outputs = {{OutputKind::kBufferMutation, "d"}};
  expect_error("d is set, but there is no such buffer");
  program_.outputs = {{OutputKind::kUserInputMutation, "x"}};
  EXPECT_TRUE(verify(program_).ok());
  y_->set_type(tensor({3}));
  expect_error("x is float32[2], and is set to float32[3]");
}

TEST_F(VerifierTest, FindsMutationsAfterUserOutputs) {
  program_.graph->outputs() = {y_, y_};
  program_.outputs = {{OutputKind::kUserOutput, ""}, {OutputKind::kBufferMutation, "c"}};
  expect_error("a mutation comes after the user outputs");
}

TEST_F(VerifierTest, FindsInputsThatDoNotFit) {
  program_.inputs[1].data->strides = {2};
  expect_error("c (input c): float32[2] with strides [2]");
  program_.inputs[1].data->strides = {1};
  c_->set_type(tensor({1, 2}));
  expect_error("its value is float32[1, 2], and its data float32[2]");
  c_->set_type(tensor({2}));
  std::swap(program_.inputs[0], program_.inputs[1]);
  expect_error("does not follow the order of the graph's inputs");
  program_.inputs.pop_back();
  expect_error("does not follow the order");
}

TEST_F(VerifierTest, LooksIntoSubGraphs) {
  auto inner = std::make_shared<Graph>();
  Value* inner_x = inner->add_input("x", tensor({2}));
  inner->outputs() = {inner_x};
  Node* cond = program_.graph->add_node("higher_order.cond", {y_, inner, inner}, {.name = "cond"});
  program_.graph->add_output(cond, tensor({2}));
  EXPECT_TRUE(verify(program_).ok()) << verify(program_).error().message();
  inner->outputs() = {x_};
  expect_error("node cond (higher_order.cond): an output of the graph uses x before");
}

TEST_F(VerifierTest, HoldsCallsOfEnginesAgainstTheirForm) {
  Node* call = program_.graph->add_node(kCallEngine, {SymInt(0), std::vector<Value*>{y_}}, {});
  program_.graph->add_output(call, tensor({2}));
  EXPECT_TRUE(verify(program_).ok()) << verify(program_).error().message();
  const std::vector<std::vector<Argument>> wrong = {
      {},
      {SymInt(0)},
      {SymInt(0), y_},
      {SymInt(-1), std::vector<Value*>{y_}},
      {SymInt::symbol("s0"), std::vector<Value*>{y_}}};
  for (const std::vector<Argument>& args : wrong) {
    call->args() = args;
    expect_error("node call_engine (slipway.call_engine): it takes the number of an engine");
  }
  call->args() = {SymInt(0), std::vector<Value*>{nullptr}};
  expect_error("engines take and give tensors only");
  call->args() = {SymInt(0), std::vector<Value*>{y_}};
  program_.graph->add_output(call, ValueKind::kSymInt, 3, "three");
  expect_error("engines take and give tensors only");
}

TEST_F(VerifierTest, FindsEmptyRanges) {
  program_.ranges["s0"] = {4, 3};
  expect_error("s0");
}

}  // namespace
}  // namespace slipway::ir
