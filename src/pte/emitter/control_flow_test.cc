// torch.cond.
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pte/emitter/emitted_program_test.h"

namespace slipway::pte {
namespace {

using ir::SymInt;
using testing::Contains;
using testing::Not;

// A branch: its inputs have the types of the values it is given.
struct Branch {
  std::shared_ptr<ir::Graph> graph = std::make_shared<ir::Graph>();
  std::vector<ir::Value*> inputs;

  explicit Branch(const std::vector<ir::Value*>& given) {
    for (const ir::Value* value : given) {
      inputs.push_back(graph->add_input(value->name(), value->type()));
    }
  }
  ir::OpBuilder build() { return ir::OpBuilder(*graph, nullptr, nullptr); }
  void output(ir::Argument argument) { graph->outputs().push_back(std::move(argument)); }
};

ir::Node* cond(ir::Graph& graph, ir::Argument predicate, const Branch& yes, const Branch& no,
               const std::vector<ir::Value*>& operands, const std::vector<ir::TensorType>& types) {
  ir::Node* node = graph.add_node(
      "higher_order.cond", {std::move(predicate), yes.graph, no.graph, operands}, {.name = "cond"});
  for (const ir::TensorType& type : types) graph.add_output(node, type);
  return node;
}

TEST(CondTest, RunsOneBranch) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({2}));
  auto b = p.build();
  ir::Value* positive = b.gt(b.sum(x, {}), SymInt(0));
  Branch yes({x});
  yes.output(yes.build().mul(yes.inputs[0], SymInt(2)));
  Branch no({x});
  auto builder = no.build();
  no.output(builder.neg(builder.add(no.inputs[0], SymInt(1))));
  p.output(cond(p.graph(), positive, yes, no, {x}, {p.type({2})})->output());
  // Both write the output itself.
  EXPECT_THAT(p.instructions(), Not(Contains("move")));
  EXPECT_THAT(p.instructions(), Not(Contains("aten::alias_copy")));
  const slipway::Method method = p.load();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(to_floats(run(method, {floats({2}, {1, 2})})[0]), (Floats{2, 4}));
    EXPECT_EQ(to_floats(run(method, {floats({2}, {-1, -2})})[0]), (Floats{0, 1}));
  }
}

TEST(CondTest, BranchesGiveBackWhatTheyGot) {
  ProgramToEmit p;
  ir::Value* flag = p.input("flag", p.type({}, DType::kBool));
  ir::Value* x = p.input("x", p.type({4}));
  ir::Value* c = p.constant("c", p.count({4}, {1}));
  Branch yes({x, c});
  yes.output(yes.inputs[0]);
  yes.output(yes.inputs[1]);
  Branch no({x, c});
  auto builder = no.build();
  ir::Value* sum = builder.add(no.inputs[0], no.inputs[1]);
  no.output(sum);
  no.output(sum);
  ir::Node* node = cond(p.graph(), flag, yes, no, {x, c}, {p.type({4}), p.type({4})});
  auto b = p.build();
  p.output(b.add(node->output(0), SymInt(1)));
  p.output(node->output(1));
  const slipway::Method method = p.load();
  auto flag_is = [](bool value) {
    Tensor tensor = *Tensor::zeros(DType::kBool, {});
    *tensor.data_as<bool>() = value;
    return tensor;
  };
  const Tensor input = floats({4}, {5, 5, 5, 5});
  auto outputs = run(method, {flag_is(true), input});
  EXPECT_EQ(to_floats(outputs[0]), (Floats{6, 6, 6, 6}));
  EXPECT_EQ(to_floats(outputs[1]), (Floats{0, 1, 2, 3}));
  outputs = run(method, {flag_is(false), input});
  EXPECT_EQ(to_floats(outputs[0]), (Floats{6, 7, 8, 9}));
  EXPECT_EQ(to_floats(outputs[1]), (Floats{5, 6, 7, 8}));
}

TEST(CondTest, BranchesWithinBranches) {
  ProgramToEmit p;
  ir::Value* flags = p.input("flags", p.type({2}, DType::kBool));
  ir::Value* x = p.input("x", p.type({3}));
  auto b = p.build();
  ir::Value* outer = b.select(flags, 0, SymInt(0));
  ir::Value* inner = b.select(flags, 0, SymInt(1));
  Branch yes({inner, x});
  {
    Branch inner_yes({yes.inputs[1]});
    inner_yes.output(inner_yes.build().view(inner_yes.build().neg(inner_yes.inputs[0]), {3}));
    Branch inner_no({yes.inputs[1]});
    inner_no.output(inner_no.build().mul(inner_no.inputs[0], SymInt(3)));
    ir::Node* node =
        cond(*yes.graph, yes.inputs[0], inner_yes, inner_no, {yes.inputs[1]}, {p.type({3})});
    yes.output(yes.build().add(node->output(), SymInt(100)));
  }
  Branch no({inner, x});
  no.output(no.build().add(no.inputs[1], SymInt(1)));
  p.output(cond(p.graph(), outer, yes, no, {inner, x}, {p.type({3})})->output());
  const slipway::Method method = p.load();
  auto with = [&](bool a, bool c) {
    Tensor values = *Tensor::zeros(DType::kBool, {2});
    values.data_as<bool>()[0] = a;
    values.data_as<bool>()[1] = c;
    return to_floats(run(method, {values, floats({3}, {1, 2, 3})})[0]);
  };
  EXPECT_EQ(with(true, true), (Floats{99, 98, 97}));
  EXPECT_EQ(with(true, false), (Floats{103, 106, 109}));
  EXPECT_EQ(with(false, true), (Floats{2, 3, 4}));
}

TEST(CondTest, LiteralsAmongWhatABranchIsGiven) {
  ProgramToEmit p;
  ir::Value* flag = p.input("flag", p.type({}, DType::kBool));
  ir::Value* x = p.input("x", p.type({2}));
  auto branch = [&](int64_t add) {
    Branch made({});
    made.graph->add_input("literal", ir::ValueKind::kAbsent);
    ir::Value* inside = made.graph->add_input("inside", x->type());
    for (int i = 0; i < 3; ++i) made.graph->add_input("literal", ir::ValueKind::kAbsent);
    made.output(made.build().add(inside, SymInt(add)));
    return made;
  };
  const Branch yes = branch(1);
  const Branch no = branch(2);
  ir::Node* node = cond(p.graph(), flag, yes, no, {nullptr, x}, {p.type({2})});
  node->args().emplace_back(std::vector<bool>{true});
  node->args().emplace_back(std::string("text"));
  node->args().emplace_back(std::vector<SymInt>{3});
  p.output(node->output());
  const slipway::Method method = p.load();
  Tensor value = *Tensor::zeros(DType::kBool, {});
  EXPECT_EQ(to_floats(run(method, {value, floats({2}, {1, 2})})[0]), (Floats{3, 4}));
  *value.data_as<bool>() = true;
  EXPECT_EQ(to_floats(run(method, {value, floats({2}, {1, 2})})[0]), (Floats{2, 3}));

  node->args()[3] = std::vector<ir::Value*>{x, nullptr};
  EXPECT_THAT(p.emit_error(),
              testing::HasSubstr("inside of a sub-graph is a tensor, but is given None"));
}

TEST(CondTest, RefusesResultsThatAreNone) {
  ProgramToEmit p;
  ir::Value* x = p.input("x", p.type({2}));
  ir::Node* node = p.graph().add_node("library.op.default", {x}, {});
  p.output(p.graph().add_output(node, x->type()));
  p.graph().add_output(node, ir::ValueKind::kAbsent, 0);
  EXPECT_THAT(p.emit_error(), testing::HasSubstr("one of its results is None"));
}

TEST(CondTest, DecidesByASize) {
  ProgramToEmit p;
  const SymInt s = SymInt::symbol("s");
  p.program.ranges["s"] = {1, 10};
  ir::Value* x = p.input("x", p.type({s}));
  auto b = p.build();
  ir::Node* compare = b.node("_operator.gt", {s, SymInt(3)});
  ir::Value* is_long = p.graph().add_output(compare, ir::ValueKind::kSymBool, 0);
  // Each branch computes s * 2 for itself: what one computed, the other does not have.
  Branch yes({x});
  yes.output(yes.build().full({s * 2}, 1.0, DType::kFloat32));
  Branch no({x});
  no.output(no.build().full({s * 2}, 2.0, DType::kFloat32));
  p.output(cond(p.graph(), is_long, yes, no, {x}, {p.type({s * 2})})->output());
  p.output(s * 2);
  const slipway::Method method = p.load();
  for (int64_t size : {5, 2}) {
    auto outputs = run(method, {*Tensor::zeros(DType::kFloat32, {size})});
    EXPECT_EQ(to_floats(outputs[0]), Floats(static_cast<size_t>(size * 2), size > 3 ? 1 : 2));
    EXPECT_EQ(std::get<int64_t>(outputs[1]), size * 2);
  }
}

TEST(CondTest, NumbersFromBranches) {
  ProgramToEmit p;
  const SymInt u = SymInt::symbol("u0");
  p.program.ranges["u0"] = {0, 10};
  ir::Value* flag = p.input("flag", p.type({}, DType::kBool));
  Branch yes({});
  yes.output(SymInt(3));
  Branch no({});
  no.output(SymInt(5));
  ir::Node* node = cond(p.graph(), flag, yes, no, {}, {});
  p.graph().add_output(node, ir::ValueKind::kSymInt, u);
  auto b = p.build();
  p.output(b.full({u + 1}, 1.0, DType::kFloat32));
  const slipway::Method method = p.load();
  Tensor value = *Tensor::zeros(DType::kBool, {});
  EXPECT_EQ(sizes_of(run(method, {value})[0]), (Sizes{6}));
  *value.data_as<bool>() = true;
  EXPECT_EQ(sizes_of(run(method, {value})[0]), (Sizes{4}));
}

TEST(CondTest, StateChangedByTheResultOfABranch) {
  ProgramToEmit p;
  ir::Value* flag = p.input("flag", p.type({}, DType::kBool));
  ir::Value* state = p.buffer("state", p.count({2}, {1}, 1));
  Branch yes({state});
  yes.output(yes.build().add(yes.inputs[0], SymInt(10)));
  Branch no({state});
  no.output(no.inputs[0]);
  p.mutation("state", cond(p.graph(), flag, yes, no, {state}, {p.type({2})})->output());
  p.output(SymInt(0));
  const slipway::Method method = p.load();
  Tensor value = *Tensor::zeros(DType::kBool, {});
  run(method, {value});
  EXPECT_EQ(to_floats(method.state()->at(0).second), (Floats{1, 2}));
  *value.data_as<bool>() = true;
  run(method, {value});
  EXPECT_EQ(to_floats(method.state()->at(0).second), (Floats{11, 12}));
}

}  // namespace
}  // namespace slipway::pte
