// Where outputs lie, and what happens when they come back as inputs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pte/emitter/emitted_program_test.h"

namespace slipway::pte {
namespace {

using ir::SymInt;
using testing::ElementsAre;
using testing::HasSubstr;

// One for each output: whether it is planned.
std::vector<bool> planned_outputs(ProgramToEmit& p) {
  auto bytes = p.emit_bytes();
  EXPECT_TRUE(bytes.ok()) << bytes.error().message();
  auto file = File::read(own_bytes(std::move(*bytes)), "made by hand");
  EXPECT_TRUE(file.ok()) << file.error().message();
  const auto* plan = file->plan("forward");
  std::vector<bool> result;
  for (const int32_t output : *plan->outputs()) {
    const auto* tensor = plan->values()->Get(static_cast<uint32_t>(output))->val_as_Tensor();
    result.push_back(tensor->allocation_info() != nullptr);
  }
  return result;
}

TEST(OutputMemoryTest, OutputsArePlannedUnlessTheyAreLeftToTheCaller) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({2, 2}));
  auto b = p.build();
  p.output(b.view(b.relu(x), {4}));
  p.output(x);
  EXPECT_THAT(planned_outputs(p), ElementsAre(true, true));
  EXPECT_THAT(p.instructions(), ElementsAre("aten::relu", "aten::alias_copy"));
  p.alloc_graph_output = false;
  EXPECT_THAT(planned_outputs(p), ElementsAre(false, false));
  // The view's bytes are the caller's, whose address is known at run time only.
  EXPECT_THAT(p.instructions(),
              ElementsAre("executorch_prim::et_view", "aten::relu", "aten::alias_copy"));
  const slipway::Method method = p.load();
  const auto outputs = run(method, {floats({2, 2}, {1, -1, 2, -2})});
  EXPECT_EQ(to_floats(outputs[0]), (Floats{1, 0, 2, 0}));
  EXPECT_EQ(to_floats(outputs[1]), (Floats{1, -1, 2, -2}));
}

TEST(OutputMemoryTest, WhatRunsAfterAnOutputDoesNotOverwriteIt) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({8}));
  auto b = p.build();
  ir::Value* early = b.add(x, SymInt(1));
  p.output(early);
  ir::Value* late = early;
  for (int64_t i = 2; i < 6; ++i) late = b.mul(late, SymInt(i));
  p.output(b.sum(late, {0}, false));
  const slipway::Method method = p.load();
  const auto outputs = run(method, {floats({8}, Floats(8, 1))});
  EXPECT_EQ(to_floats(outputs[0]), Floats(8, 2));
  EXPECT_EQ(to_floats(outputs[1]), Floats{8 * 2 * 120});
}

class FeedbackTest : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(OutputMemory, FeedbackTest, testing::Bool());

TEST_P(FeedbackTest, AnOutputMayBeTheNextInput) {
  ProgramToEmit p;
  p.alloc_graph_output = GetParam();
  ir::Value* x = p.input("x", p.type({2, 2}));
  auto b = p.build();
  // Written before x is read for the last time.
  ir::Value* scaled = b.mul(x, SymInt(10));
  p.output(b.permute(b.sub(scaled, x), {1, 0}));
  const slipway::Method method = p.load();
  Value value = floats({2, 2}, {1, 2, 3, 4});
  value = run(method, {value})[0];
  EXPECT_EQ(to_floats(value), (Floats{9, 27, 18, 36}));
  value = run(method, {value})[0];
  EXPECT_EQ(to_floats(value), (Floats{81, 162, 243, 324}));
}

TEST_P(FeedbackTest, OutputsMayChangePlacesAndRepeat) {
  ProgramToEmit p;
  p.alloc_graph_output = GetParam();
  ir::Value* x = p.input("x", p.type({2}));
  ir::Value* y = p.input("y", p.type({2}));
  auto b = p.build();
  p.output(b.add(y, SymInt(1)));
  p.output(b.add(x, SymInt(2)));
  const slipway::Method method = p.load();
  auto values = run(method, {floats({2}, {10, 10}), floats({2}, {20, 20})});
  values = run(method, values);
  EXPECT_EQ(to_floats(values[0]), (Floats{13, 13}));
  EXPECT_EQ(to_floats(values[1]), (Floats{23, 23}));
  values = run(method, {values[1], values[1]});
  EXPECT_EQ(to_floats(values[0]), (Floats{24, 24}));
  EXPECT_EQ(to_floats(values[1]), (Floats{25, 25}));
}

TEST(FeedbackTest, StateMayBeAnInput) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({2}));
  ir::Value* count = p.buffer("count", p.count({2}, {1}, 1));
  auto b = p.build();
  ir::Value* grown = b.add(count, x);
  p.mutation("count", grown);
  p.output(b.mul(grown, x));
  const slipway::Method method = p.load();
  const Value state = (*method.state())[0].second;
  EXPECT_EQ(to_floats(run(method, {state})[0]), (Floats{2, 8}));
  EXPECT_EQ(to_floats(state), (Floats{2, 4}));
}

class MutatedInputTest : public testing::Test {
 protected:
  MutatedInputTest() {
    ir::Value* x = p.input("x", p.type({2}));
    ir::Value* y = p.input("y", p.type({2}));
    auto b = p.build();
    ir::Value* grown = b.add(x, SymInt(1));
    p.mutation(ir::OutputKind::kUserInputMutation, "x", grown);
    p.output(b.mul(grown, y));
  }
  ProgramToEmit p;
};

TEST_F(MutatedInputTest, CannotLieInTheModulesMemory) {
  const slipway::Method method = p.load();
  const Tensor x = floats({2}, {1, 2});
  const auto outputs = run(method, {x, floats({2}, {3, 4})});
  EXPECT_EQ(to_floats(outputs[0]), (Floats{6, 12}));
  EXPECT_EQ(to_floats(x), (Floats{2, 3}));
  const auto refused = method.run({outputs[0], x});
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message(), HasSubstr("input 0 'x' is written to by the program"));
  EXPECT_EQ(to_floats(run(method, {x, outputs[0]})[0]), (Floats{18, 48}));
}

TEST_F(MutatedInputTest, MayBeAnotherInputToo) {
  const slipway::Method method = p.load();
  const Tensor x = floats({2}, {1, 2});
  EXPECT_EQ(to_floats(run(method, {x, x})[0]), (Floats{2, 6}));
  EXPECT_EQ(to_floats(x), (Floats{2, 3}));
}

}  // namespace
}  // namespace slipway::pte
