#include <cstring>
#include <set>
#include <string>

#include "passes/passes.h"
#include "passes/program_test.h"
#include "passes/rewrite.h"

namespace slipway::passes {
namespace {

using ir::None;
using ir::SymInt;
using ir::Value;

class DrawRandomNumbersTest : public testing::Test, protected TestProgram {
 protected:
  Status draw(uint64_t seed = 0) { return apply(draw_random_numbers, seed); }
  Value* rand() {
    const std::vector<SymInt> sizes = {SymInt(3)};
    return call("aten.rand.default", {sizes, DType::kFloat32}, type({3}), "rand");
  }
  std::vector<int64_t> state() {
    for (const ir::Input& each : program.inputs) {
      if (each.kind != ir::InputKind::kBuffer) continue;
      std::vector<int64_t> numbers(3);
      std::memcpy(numbers.data(), each.data->bytes().data(), 3 * sizeof(int64_t));
      return numbers;
    }
    return {};
  }
};

TEST_F(DrawRandomNumbersTest, KeepsTheNumberOfTheRun) {
  output(rand());
  output(rand());
  ASSERT_TRUE(draw().ok());
  ASSERT_TRUE(ir::verify(program).ok());
  ASSERT_EQ(program.outputs.size(), 3U);
  EXPECT_EQ(program.outputs[0].kind, ir::OutputKind::kBufferMutation);
  EXPECT_EQ(program.outputs[0].target, program.inputs.back().target);
  for (const auto& node : graph().nodes()) EXPECT_FALSE(is_random(node->op())) << node->op();
  EXPECT_NE(graph().outputs()[1], graph().outputs()[2]);
  EXPECT_EQ(state().at(2), 0);
}

TEST_F(DrawRandomNumbersTest, BeginsWhereTheSeedSays) {
  std::set<std::vector<int64_t>> states;
  for (const uint64_t seed : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32, ~uint64_t{0}}) {
    program = {};
    output(rand());
    ASSERT_TRUE(draw(seed).ok());
    states.insert(state());
  }
  EXPECT_EQ(states.size(), 4U);
}

TEST_F(DrawRandomNumbersTest, AddsNoStateWhereNothingIsDrawn) {
  Value* x = input("x", type({3}));
  output(call("aten.dropout.default", {x, 0.5, false}, type({3}), "dropout"));
  output(call("aten.poisson.default", {x, None()}, type({3}), "poisson"));
  ASSERT_TRUE(draw().ok());
  EXPECT_EQ(program.inputs.size(), 1U);
  EXPECT_EQ(program.outputs.size(), 2U);
  EXPECT_EQ(graph().nodes().size(), 2U);
}

// A torch.cond of two branches that give what `make` makes of the operand.
template <class Make>
ir::Node* add_cond(ir::Graph& graph, Value* condition, Value* x, Make make) {
  std::vector<ir::Argument> args = {condition};
  for (int i = 0; i < 2; ++i) {
    auto branch = std::make_shared<ir::Graph>();
    Value* inside = branch->add_input("y", x->type());
    branch->outputs().emplace_back(make(*branch, inside));
    args.emplace_back(std::move(branch));
  }
  args.emplace_back(std::vector<Value*>{x});
  ir::Node* node = graph.add_node("higher_order.cond", std::move(args), {.name = "cond"});
  graph.add_output(node, x->type());
  return node;
}

Value* rand_like(ir::Graph& graph, Value* x) {
  return ir::OpBuilder(graph, nullptr, nullptr).call("aten.rand_like.default", {x}, x->type());
}

TEST_F(DrawRandomNumbersTest, GivesBranchesNumbersOfTheirOwn) {
  Value* condition = input("condition", type({}, DType::kBool));
  Value* x = input("x", type({SymInt::symbol("s0")}));
  const auto inner_condition = [](ir::Graph& graph, Value* y) {
    ir::OpBuilder b(graph, nullptr, nullptr);
    return b.any(b.gt(y, 0.0));
  };
  ir::Node* cond = add_cond(graph(), condition, x, [&](ir::Graph& branch, Value* y) {
    Value* is_positive = inner_condition(branch, y);
    return add_cond(branch, is_positive, rand_like(branch, y), rand_like)->output();
  });
  output(cond->output());
  ASSERT_TRUE(draw().ok());
  for_each_graph(graph(), [](ir::Graph& each) {
    for (const auto& node : each.nodes()) EXPECT_FALSE(is_random(node->op())) << node->op();
  });
  // Each of the two branches draws once, and so does each within.
  const auto& operands = std::get<std::vector<Value*>>(cond->args().at(3));
  EXPECT_EQ(std::set<Value*>(operands.begin(), operands.end()).size(), 7U);
  for (ir::Graph* branch : sub_graphs(*cond)) EXPECT_EQ(branch->inputs().size(), 7U);
}

TEST_F(DrawRandomNumbersTest, RefusesACountThatOnlyABranchKnows) {
  Value* condition = input("condition", type({}, DType::kBool));
  Value* x = input("x", type({3}, DType::kInt64));
  const auto draws_as_many = [](ir::Graph& branch, Value* y) {
    const std::vector<SymInt> count = {SymInt::symbol("u0")};
    ir::OpBuilder b(branch, nullptr, nullptr);
    b.call("aten.nonzero.default", {y}, DType::kInt64, {count[0], SymInt(1)});
    b.call("aten.rand.default", {count, DType::kFloat32}, DType::kFloat32, count);
    return y;
  };
  output(add_cond(graph(), condition, x, draws_as_many)->output());
  const Status drawn = draw();
  ASSERT_FALSE(drawn.ok());
  EXPECT_NE(drawn.error().message().find("draw as many as there can be"), std::string::npos);
}

TEST_F(DrawRandomNumbersTest, NamesTheNodeThatIsInconsistent) {
  Value* x = input("x", type({3}));
  output(call("aten.dropout.default", {x, x, true}, type({3}), "dropout"));
  const Status drawn = draw();
  ASSERT_FALSE(drawn.ok());
  EXPECT_NE(drawn.error().message().find("dropout"), std::string::npos);
}

}  // namespace
}  // namespace slipway::passes
