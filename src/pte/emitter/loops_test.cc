// slipway.scan.
#include "runtime/loops.h"

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/scan.h"
#include "passes/passes.h"
#include "pte/emitter/emitted_program_test.h"

namespace slipway::pte {
namespace {

using ir::SymInt;
using ir::Value;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using List = std::vector<Value*>;

// A loop in the making: its body's inputs are those of the values that it is given.
struct Loop {
  Loop(List state, List scanned, List given = {})
      : state(std::move(state)), scanned(std::move(scanned)), given(std::move(given)) {
    for (const Value* value : this->state) before.push_back(body->add_input("s", value->type()));
    for (const Value* value : this->scanned) {
      ir::TensorType type = value->type();
      type.sizes.erase(type.sizes.begin());
      now.push_back(body->add_input("x", std::move(type)));
    }
    for (const Value* value : this->given) inside.push_back(body->add_input("g", value->type()));
  }
  ir::OpBuilder build() { return ir::OpBuilder(*body, nullptr, nullptr); }

  // The last states, and the stacked results.
  List add_to(ir::Graph& graph, const List& next, const List& stacked, bool reversed = false) {
    for (Value* value : next) body->outputs().emplace_back(value);
    for (Value* value : stacked) body->outputs().emplace_back(value);
    node = graph.add_node(ir::kScan, {body, state, scanned, reversed, given}, {});
    for (const Value* value : state) graph.add_output(node, value->type());
    for (const Value* value : stacked) {
      ir::TensorType type = value->type();
      type.sizes.insert(type.sizes.begin(), scanned.front()->sizes().front());
      graph.add_output(node, std::move(type));
    }
    return node->outputs();
  }

  std::shared_ptr<ir::Graph> body = std::make_shared<ir::Graph>();
  List state;
  List scanned;
  List given;
  List before;
  List now;
  List inside;
  ir::Node* node = nullptr;
};

runtime::Loops loops_of(const std::vector<std::byte>& bytes) {
  auto file = File::read(own_bytes(std::vector<std::byte>(bytes)), "made by hand");
  EXPECT_TRUE(file.ok()) << file.error().message();
  return runtime::find_loops(*file->plan("forward"));
}

// Sums of what came before, for each of the elements.
void add_sums(ProgramToEmit& p, const SymInt& count, bool reversed) {
  Value* first = p.input("first", p.type({2}));
  Value* x = p.input("x", p.type({count, 2}));
  Loop loop({first}, {x});
  Value* sum = loop.build().add(loop.before[0], loop.now[0]);
  for (Value* value : loop.add_to(p.graph(), {sum}, {sum}, reversed)) p.output(value);
}

TEST(ScanTest, CarriesStateAndStacksResults) {
  for (const bool reversed : {false, true}) {
    ProgramToEmit p;
    add_sums(p, 3, reversed);
    // The state is computed in its place.
    EXPECT_EQ(p.instructions(),
              reversed ? (Instructions{"aten::alias_copy", "executorch_prim::sub", "move",
                                       "executorch_prim::sub", "aten::select_copy", "aten::add",
                                       "executorch_prim::et_copy_index", "executorch_prim::add",
                                       "executorch_prim::ge", "jump"})
                       : (Instructions{"aten::alias_copy", "move", "aten::select_copy", "aten::add",
                                       "executorch_prim::et_copy_index", "executorch_prim::add",
                                       "executorch_prim::ge", "jump"}));
    const slipway::Method module = p.load();
    for (int i = 0; i < 2; ++i) {
      auto outputs = run(module, {floats({2}, {1, 2}), floats({3, 2}, {1, 2, 10, 20, 100, 200})});
      EXPECT_EQ(to_floats(outputs[0]), (Floats{112, 224}));
      EXPECT_EQ(to_floats(outputs[1]), reversed ? (Floats{112, 224, 111, 222, 101, 202})
                                                : (Floats{2, 4, 12, 24, 112, 224}));
    }
  }
}

TEST(ScanTest, RunsAsOftenAsThereAreElements) {
  ProgramToEmit p;
  p.program.ranges["s"] = {0, 100'000};
  add_sums(p, SymInt::symbol("s"), false);
  const slipway::Method module = p.load();
  for (const int64_t count : {3, 0, 1, 100'000}) {
    auto outputs = run(module, {floats({2}, {1, 2}),
                                floats({count, 2}, Floats(static_cast<size_t>(2 * count), 1))});
    const auto sum = static_cast<float>(count);
    EXPECT_EQ(to_floats(outputs[0]), (Floats{1 + sum, 2 + sum}));
    EXPECT_EQ(sizes_of(outputs[1]), (Sizes{count, 2}));
    if (count == 0) continue;
    EXPECT_EQ(to_floats(outputs[1])[0], 2);
    EXPECT_EQ(to_floats(outputs[1]).back(), 2 + sum);
  }
}

TEST(ScanTest, ElementsMayBeEmpty) {
  ProgramToEmit p;
  const SymInt s = SymInt::symbol("s");
  p.program.ranges["s"] = {0, 4};
  Value* x = p.input("x", p.type({3, s}));
  Loop loop({}, {x});
  p.output(loop.add_to(p.graph(), {}, {loop.build().neg(loop.now[0])})[0]);
  const slipway::Method module = p.load();
  EXPECT_EQ(sizes_of(run(module, {floats({3, 0}, {})})[0]), (Sizes{3, 0}));
  EXPECT_EQ(to_floats(run(module, {floats({3, 1}, {1, 2, 3})})[0]), (Floats{-1, -2, -3}));
}

TEST(ScanTest, StatesMayChangePlaces) {
  ProgramToEmit p;
  Value* a = p.input("a", p.type({1}));
  Value* b = p.input("b", p.type({1}));
  Value* c = p.input("c", p.type({1}));
  Value* x = p.input("x", p.type({3, 1}));
  Loop loop({a, b, c}, {x});
  auto build = loop.build();
  // Fibonacci's numbers, a state that stays, and the old state among the results.
  Value* sum = build.add(loop.before[0], loop.before[1]);
  for (Value* value : loop.add_to(p.graph(), {loop.before[1], sum, loop.before[2]},
                                  {loop.before[0], build.view(loop.now[0], {1})})) {
    p.output(value);
  }
  const slipway::Method module = p.load();
  auto outputs = run(
      module, {floats({1}, {1}), floats({1}, {2}), floats({1}, {7}), floats({3, 1}, {4, 5, 6})});
  EXPECT_EQ(to_floats(outputs[0]), (Floats{5}));
  EXPECT_EQ(to_floats(outputs[1]), (Floats{8}));
  EXPECT_EQ(to_floats(outputs[2]), (Floats{7}));
  EXPECT_EQ(to_floats(outputs[3]), (Floats{1, 2, 3}));
  EXPECT_EQ(to_floats(outputs[4]), (Floats{4, 5, 6}));
}

TEST(ScanTest, EachTurnFindsWhatWasMadeBefore) {
  ProgramToEmit p;
  Value* x = p.input("x", p.type({3, 4}));
  auto b = p.build();
  // Last used at the beginning of the body, which then makes much else.
  Value* made = b.mul(b.select(x, 0, SymInt(0)), 2);
  Value* first = b.mul(b.select(x, 0, SymInt(0)), 0);
  Loop loop({first}, {x}, {made});
  auto build = loop.build();
  Value* value = build.add(loop.now[0], loop.inside[0]);
  Value* wide = build.expand(build.view(value, {1, 4}), {4, 4});
  Value* twice = build.mul(wide, 2);
  Value* four = build.view(build.select(build.neg(build.neg(twice)), 0, SymInt(1)), {4});
  p.output(loop.add_to(p.graph(), {build.add(loop.before[0], four)}, {four})[1]);
  p.output(loop.node->output(0));
  const slipway::Method module = p.load();
  auto outputs = run(module, {floats({3, 4}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})});
  EXPECT_EQ(to_floats(outputs[0]), (Floats{6, 12, 18, 24, 14, 20, 26, 32, 22, 28, 34, 40}));
  EXPECT_EQ(to_floats(outputs[1]), (Floats{42, 60, 78, 96}));
}

TEST(ScanTest, LoopsAndChoicesWithinLoops) {
  ProgramToEmit p;
  Value* x = p.input("x", p.type({2, 3}));
  Value* zero = p.constant("zero", p.count({1}, {1}));
  Loop outer({zero}, {x}, {zero});
  auto build = outer.build();
  Loop inner({outer.inside[0]}, {build.view(outer.now[0], {3, 1})});
  Value* sum = inner.build().add(inner.before[0], inner.now[0]);
  const List sums = inner.add_to(*outer.body, {sum}, {sum});
  auto branch = [&](bool yes) {
    auto graph = std::make_shared<ir::Graph>();
    Value* a = graph->add_input("a", outer.before[0]->type());
    Value* b = graph->add_input("b", sums[0]->type());
    graph->outputs().emplace_back(yes ? ir::OpBuilder(*graph, nullptr, nullptr).add(a, b) : a);
    return graph;
  };
  ir::Node* choice =
      outer.body->add_node("higher_order.cond",
                           {build.view(build.gt(sums[0], SymInt(10)), {}), branch(true),
                            branch(false), List{outer.before[0], sums[0]}},
                           {});
  for (Value* value :
       outer.add_to(p.graph(), {outer.body->add_output(choice, p.type({1}))}, {sums[1]})) {
    p.output(value);
  }
  const slipway::Method module = p.load();
  auto outputs = run(module, {floats({2, 3}, {1, 2, 3, 4, 5, 6})});
  EXPECT_EQ(to_floats(outputs[0]), (Floats{15}));
  EXPECT_EQ(to_floats(outputs[1]), (Floats{1, 3, 6, 4, 9, 15}));
  const runtime::Loops loops = loops_of(*p.emit_bytes());
  EXPECT_TRUE(loops.any);
  EXPECT_THAT(loops.most_steps, testing::Optional(testing::Gt(2U * 3U * 4U)));
}

TEST(ScanTest, NoElementsAreNoLoop) {
  ProgramToEmit p;
  add_sums(p, 0, true);
  EXPECT_THAT(p.instructions(), Not(Contains("jump")));
  const slipway::Method module = p.load();
  auto outputs = run(module, {floats({2}, {1, 2}), floats({0, 2}, {})});
  EXPECT_EQ(to_floats(outputs[0]), (Floats{1, 2}));
  EXPECT_EQ(sizes_of(outputs[1]), (Sizes{0, 2}));
}

TEST(ScanTest, IsVerified) {
  ProgramToEmit p;
  add_sums(p, 3, false);
  ASSERT_TRUE(ir::verify(p.program).ok());
  ir::Node& node = *p.graph().nodes().front();
  const std::vector<ir::Argument> args = node.args();
  const auto refused = [&](size_t i, ir::Argument argument) {
    node.args() = args;
    node.args()[i] = std::move(argument);
    const Status status = ir::verify(p.program);
    return status.ok() ? "" : status.error().message();
  };
  Value* x = p.program.inputs[1].value;
  EXPECT_THAT(refused(ir::Scan::kBody, SymInt(1)), HasSubstr("the arguments of the loop"));
  EXPECT_THAT(refused(ir::Scan::kScanned, List{}), HasSubstr("the arguments of the loop"));
  EXPECT_THAT(refused(ir::Scan::kReversed, SymInt(1)), HasSubstr("the arguments of the loop"));
  EXPECT_THAT(refused(ir::Scan::kState, List{}), HasSubstr("of the loop"));
  EXPECT_THAT(refused(ir::Scan::kState, List{x}), HasSubstr("the types of the state"));
  EXPECT_THAT(refused(ir::Scan::kScanned, List{p.program.inputs[0].value}),
              HasSubstr("the types of what is scanned"));
}

// --- How long a run may take ---

// The instructions of the method, in bytes that may be changed.
class CountedLoop : public testing::Test {
 protected:
  void SetUp() override {
    ProgramToEmit p;
    p.program.ranges["s"] = {0, 50};
    add_sums(p, SymInt::symbol("s"), false);
    bytes_ = *p.emit_bytes();
    // Around the loop: the copy of the state, the sizes of the results, three for the count.
    ASSERT_THAT(loops_of(bytes_).most_steps,
                testing::Optional(testing::AllOf(testing::Gt(6U * 50U), testing::Lt(7U * 51U))));
  }

  const executorch_flatbuffer::ExecutionPlan& plan() const {
    return *executorch_flatbuffer::GetProgram(bytes_.data())->execution_plan()->Get(0);
  }
  uint32_t count() const { return plan().chains()->Get(0)->instructions()->size(); }
  const executorch_flatbuffer::Instruction& instruction(uint32_t i) const {
    return *plan().chains()->Get(0)->instructions()->Get(i);
  }
  void jump_to(uint32_t jump, int32_t destination) {
    auto* table =
        reinterpret_cast<flatbuffers::Table*>(const_cast<executorch_flatbuffer::JumpFalseCall*>(
            instruction(jump).instr_args_as_JumpFalseCall()));
    ASSERT_TRUE(table->SetField<int32_t>(
        executorch_flatbuffer::JumpFalseCall::VT_DESTINATION_INSTRUCTION, destination, 0));
  }
  void set_argument(uint32_t call, uint32_t i, int32_t value) {
    auto* args = const_cast<flatbuffers::Vector<int32_t>*>(
        instruction(call).instr_args_as_KernelCall()->args());
    args->Mutate(i, value);
  }
  int32_t argument(uint32_t call, uint32_t i) const {
    return instruction(call).instr_args_as_KernelCall()->args()->Get(i);
  }
  std::optional<uint64_t> most() const { return runtime::find_loops(plan()).most_steps; }

  std::vector<std::byte> bytes_;
};

TEST_F(CountedLoop, AJumpPastTheSumIsNone) {
  uint32_t skip = 0;
  while (instruction(skip).instr_args_as_JumpFalseCall() == nullptr) ++skip;
  jump_to(skip, static_cast<int32_t>(count()) - 2);
  EXPECT_FALSE(most());
  jump_to(skip, static_cast<int32_t>(count()) - 1);
  EXPECT_FALSE(most());
  jump_to(skip, static_cast<int32_t>(count()) - 3);
  EXPECT_TRUE(most());
}

TEST_F(CountedLoop, AJumpBackThatSetsTheCounterAnewIsNone) {
  jump_to(count() - 1, 0);
  EXPECT_FALSE(most());
}

TEST_F(CountedLoop, OtherSumsAndComparisonsAreNone) {
  const uint32_t add = count() - 3;
  const uint32_t compare = count() - 2;
  const int32_t counter = argument(add, 0);
  const int32_t one = argument(add, 1);
  set_argument(add, 1, counter);
  EXPECT_FALSE(most());
  set_argument(add, 1, one);
  ASSERT_TRUE(most());
  set_argument(add, 2, argument(compare, 1));
  EXPECT_FALSE(most());
  set_argument(add, 2, counter);
  set_argument(compare, 1, counter);
  EXPECT_FALSE(most());
}

}  // namespace
}  // namespace slipway::pte
