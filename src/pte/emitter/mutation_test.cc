// Buffers and inputs that a program changes.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pte/emitter/emitted_program_test.h"

namespace slipway::pte {
namespace {

using ir::SymInt;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;

TEST(MutationTest, ElementwiseUpdatesAreMadeInPlace) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({3}));
  ir::Value* sum = p.buffer("sum", p.count({3}, {1}, 1));
  auto b = p.build();
  ir::Value* grown = b.add(sum, x);
  p.mutation("sum", grown);
  p.output(b.mul(grown, SymInt(2)));
  EXPECT_THAT(p.instructions(), ElementsAre("aten::add", "aten::mul"));
  const slipway::Method method = p.load();
  const slipway::Value input = floats({3}, {1, 1, 1});
  EXPECT_EQ(to_floats(run(method, {input})[0]), (Floats{4, 6, 8}));
  EXPECT_EQ(to_floats(run(method, {input})[0]), (Floats{6, 8, 10}));
  EXPECT_EQ(state_of(method), (Floats{3, 4, 5}));
  ASSERT_TRUE(method.reset_state().ok());
  EXPECT_EQ(state_of(method), (Floats{1, 2, 3}));
}

TEST(MutationTest, TheOldValueStaysAsLongAsItIsUsed) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({3}));
  ir::Value* sum = p.buffer("sum", p.count({3}, {1}, 1));
  auto b = p.build();
  ir::Value* grown = b.add(sum, x);
  ir::Value* old = b.view(sum, {1, 3});
  p.mutation("sum", grown);
  p.output(b.mul(old, SymInt(2)));
  EXPECT_THAT(p.instructions(), Contains("aten::copy_"));
  const slipway::Method method = p.load();
  EXPECT_EQ(to_floats(run(method, {floats({3}, {1, 1, 1})})[0]), (Floats{2, 4, 6}));
  EXPECT_EQ(state_of(method), (Floats{2, 3, 4}));
}

TEST(MutationTest, AnOutputShowsTheOldValue) {
  ProgramToEmit p;
  ir::Value* sum = p.buffer("sum", p.count({3}, {1}, 1));
  auto b = p.build();
  p.mutation("sum", b.add(sum, SymInt(1)));
  p.output(sum);
  const slipway::Method method = p.load();
  EXPECT_EQ(to_floats(run(method, {})[0]), (Floats{1, 2, 3}));
  EXPECT_EQ(to_floats(run(method, {})[0]), (Floats{2, 3, 4}));
}

TEST(MutationTest, AnOutputThatIsTheNewValue) {
  ProgramToEmit p;
  ir::Value* sum = p.buffer("sum", p.count({3}, {1}, 1));
  auto b = p.build();
  ir::Value* grown = b.add(sum, SymInt(1));
  p.mutation("sum", grown);
  p.output(grown);
  const slipway::Method method = p.load();
  auto outputs = run(method, {});
  EXPECT_EQ(to_floats(outputs[0]), (Floats{2, 3, 4}));
  // The caller may do with it what it likes.
  std::fill_n(std::get<Tensor>(outputs[0]).data_as<float>(), 3, 0.0F);
  EXPECT_EQ(state_of(method), (Floats{2, 3, 4}));
}

TEST(MutationTest, BuffersChangePlaces) {
  ProgramToEmit p;
  ir::Value* first = p.buffer("first", p.count({2}, {1}, 1));
  ir::Value* second = p.buffer("second", p.count({2}, {1}, 5));
  p.mutation("first", second);
  p.mutation("second", first);
  p.output(SymInt(0));
  const slipway::Method method = p.load();
  run(method, {});
  EXPECT_EQ(state_of(method, 0), (Floats{5, 6}));
  EXPECT_EQ(state_of(method, 1), (Floats{1, 2}));
}

TEST(MutationTest, ABufferTakesTheOldValueOfOneThatGrows) {
  ProgramToEmit p;
  ir::Value* current = p.buffer("current", p.count({2}, {1}, 1));
  p.buffer("previous", p.count({2}, {1}, 5));
  auto b = p.build();
  p.mutation("current", b.mul(current, SymInt(10)));
  p.mutation("previous", current);
  p.output(SymInt(0));
  const slipway::Method method = p.load();
  run(method, {});
  EXPECT_EQ(state_of(method, 0), (Floats{10, 20}));
  EXPECT_EQ(state_of(method, 1), (Floats{1, 2}));
}

TEST(MutationTest, OneResultIntoTwoBuffers) {
  ProgramToEmit p;
  ir::Value* a = p.buffer("a", p.count({2}, {1}, 1));
  p.buffer("b", p.count({2}, {1}, 5));
  auto b = p.build();
  ir::Value* grown = b.add(a, SymInt(1));
  p.mutation("a", grown);
  p.mutation("b", grown);
  p.output(SymInt(0));
  const slipway::Method method = p.load();
  run(method, {});
  EXPECT_EQ(state_of(method, 0), (Floats{2, 3}));
  EXPECT_EQ(state_of(method, 1), (Floats{2, 3}));
}

TEST(MutationTest, ABufferThatKeepsItsValueIsNotCopied) {
  ProgramToEmit p;
  ir::Value* a = p.buffer("a", p.count({2, 1}, {1, 1}, 1));
  auto b = p.build();
  p.mutation("a", b.view(b.view(a, {2}), {2, 1}));
  p.output(b.add(a, SymInt(1)));
  EXPECT_THAT(p.instructions(), ElementsAre("aten::add"));
}

TEST(MutationTest, RowsArePutIntoACacheWithoutCopyingIt) {
  ProgramToEmit p;
  ir::Value* row = p.input("row", p.type({1, 2}));
  ir::Value* position = p.input("position", p.type({1}, DType::kInt64));
  ir::Value* cache = p.buffer("cache", p.count({1, 4, 2}, {8, 2, 1}));
  auto b = p.build();
  ir::Value* filled = b.index_put(b.view(cache, {4, 2}), {position}, row);
  p.mutation("cache", b.view(filled, {1, 4, 2}));
  p.output(b.sum(filled, {0}));
  EXPECT_THAT(p.instructions(), ElementsAre("aten::index_put_", "aten::sum"));
  const slipway::Method method = p.load();
  auto outputs = run(method, {floats({1, 2}, {-1, -2}), integers({1}, {2})});
  EXPECT_EQ(state_of(method), (Floats{0, 1, 2, 3, -1, -2, 6, 7}));
  EXPECT_EQ(to_floats(outputs[0]), (Floats{7, 9}));
}

TEST(MutationTest, SlicesAreWrittenInPlace) {
  ProgramToEmit p;
  ir::Value* row = p.input("row", p.type({1, 2}));
  ir::Value* cache = p.buffer("cache", p.count({4, 2}, {2, 1}));
  auto b = p.build();
  ir::Value* filled = b.slice_scatter(cache, row, 0, SymInt(1), SymInt(2));
  p.mutation("cache", filled);
  p.output(b.sum(filled, {0}));
  EXPECT_THAT(p.instructions(), Not(Contains("aten::copy_")));
  const slipway::Method method = p.load();
  run(method, {floats({1, 2}, {-1, -2})});
  EXPECT_EQ(state_of(method), (Floats{0, 1, -1, -2, 4, 5, 6, 7}));
}

TEST(MutationTest, ATransposedUpdateIsNotMadeInPlace) {
  ProgramToEmit p;
  ir::Value* square = p.buffer("square", p.count({2, 2}, {2, 1}));
  auto b = p.build();
  ir::Value* row = b.slice(square, 0, SymInt(0), SymInt(1));
  // Broadcast along the other dimension: elements are read after their neighbours are written.
  p.mutation("square", b.add(b.permute(square, {1, 0}), row));
  p.output(SymInt(0));
  const slipway::Method method = p.load();
  run(method, {});
  EXPECT_EQ(state_of(method), (Floats{0, 3, 1, 4}));
}

TEST(MutationTest, ABroadcastOfTheBufferItselfIsNotMadeInPlace) {
  ProgramToEmit p;
  ir::Value* column = p.buffer("column", p.count({1, 3}, {3, 1}, 1));
  auto b = p.build();
  ir::Value* outer = b.add(b.view(column, {3, 1}), column);
  p.mutation("column", b.sum(outer, {0}, true));
  p.output(outer);
  const slipway::Method method = p.load();
  EXPECT_EQ(to_floats(run(method, {})[0]), (Floats{2, 3, 4, 3, 4, 5, 4, 5, 6}));
  EXPECT_EQ(state_of(method), (Floats{9, 12, 15}));
}

TEST(MutationTest, InputsAreWrittenWhereTheCallerHasThem) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({2}));
  ir::Value* y = p.input("y", p.type({2}));
  auto b = p.build();
  p.mutation(ir::OutputKind::kUserInputMutation, "x", b.add(x, y));
  p.mutation(ir::OutputKind::kUserInputMutation, "y", x);
  p.output(b.mul(x, SymInt(3)));
  const slipway::Method method = p.load();
  const Tensor first = floats({2}, {1, 2});
  const Tensor second = floats({2}, {10, 20});
  EXPECT_EQ(to_floats(run(method, {first, second})[0]), (Floats{3, 6}));
  EXPECT_EQ(to_floats(first), (Floats{11, 22}));
  EXPECT_EQ(to_floats(second), (Floats{1, 2}));
}

TEST(MutationTest, InputsOfAnySizeAreWritten) {
  ProgramToEmit p;
  p.program.ranges["s0"] = {1, 8};
  ir::Value* x = p.input("x", p.type({SymInt::symbol("s0")}));
  auto b = p.build();
  p.mutation(ir::OutputKind::kUserInputMutation, "x", b.add(x, SymInt(1)));
  p.output(SymInt(0));
  const slipway::Method method = p.load();
  const Tensor input = floats({3}, {1, 2, 3});
  run(method, {input});
  EXPECT_EQ(to_floats(input), (Floats{2, 3, 4}));
}

}  // namespace
}  // namespace slipway::pte
