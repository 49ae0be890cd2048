#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::SymInt;
using ir::Value;

class RemoveDeadCodeTest : public testing::Test, protected TestProgram {
 protected:
  Value* x_ = input("x", type({2, 3}));
};

TEST_F(RemoveDeadCodeTest, WhatNothingUsesGoes) {
  Value* weight = constant("weight", count({3}, {1}));
  Value* kept = constant("kept", count({3}, {1}));
  Value* a = call("aten.add.Tensor", {x_, weight}, x_->type(), "a");
  call("aten.relu.default", {a}, x_->type(), "b");
  output(call("aten.mul.Tensor", {x_, kept}, x_->type(), "c"));
  ASSERT_TRUE(apply(remove_dead_code).ok());
  EXPECT_EQ(ops(), (Ops{"aten.mul.Tensor"}));
  ASSERT_EQ(program.inputs.size(), 2U);
  EXPECT_EQ(program.inputs[1].name, "kept");
}

TEST_F(RemoveDeadCodeTest, UserInputsAndAssertionsStay) {
  input("unused", type({1}));
  node("aten._assert_async.default", {x_}, {}, "");
  output(SymInt(3));
  ASSERT_TRUE(apply(remove_dead_code).ok());
  EXPECT_EQ(ops(), (Ops{"aten._assert_async.default"}));
  EXPECT_EQ(program.inputs.size(), 2U);
}

// It could write to what it is given.
TEST_F(RemoveDeadCodeTest, WhatIsUnknownStays) {
  for (const char* op : {"library.increment.default", "aten.embedding_renorm_.default",
                         "profiler._record_function_exit._RecordFunction"}) {
    node(op, {x_}, {}, "");
  }
  output(SymInt(3));
  ASSERT_TRUE(apply(remove_dead_code).ok());
  EXPECT_EQ(ops(), (Ops{"library.increment.default", "aten.embedding_renorm_.default"}));
}

TEST_F(RemoveDeadCodeTest, ANodeThatDefinesAUsedSymbolStays) {
  auto item = [this](const std::string& symbol) {
    ir::Node* made = node("aten.item.default", {x_}, {}, "");
    graph().add_output(made, ir::ValueKind::kSymInt, SymInt::symbol(symbol));
  };
  item("u0");
  item("u1");
  output(call("aten.full.default", {Ints{SymInt::symbol("u1") + 1}, 0.0},
              type({SymInt::symbol("u1") + 1}), "zeros"));
  ASSERT_TRUE(apply(remove_dead_code).ok());
  EXPECT_EQ(ops(), (Ops{"aten.item.default", "aten.full.default"}));
  EXPECT_EQ(at(0)->output()->expression(), SymInt::symbol("u1"));
}

TEST_F(RemoveDeadCodeTest, AMutatedBufferThatIsNotReadStays) {
  buffer("state", count({3}, {1}));
  program.outputs.push_back({ir::OutputKind::kBufferMutation, "state"});
  graph().outputs().emplace_back(x_);
  ASSERT_TRUE(remove_dead_code(program).ok());
  EXPECT_EQ(program.inputs.size(), 2U);
}

}  // namespace
}  // namespace slipway::passes
