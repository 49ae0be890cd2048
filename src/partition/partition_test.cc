#include "partition/partition.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "partition/exclusions.h"
#include "passes/passes.h"
#include "passes/program_test.h"
#include "pt2/program_reader.h"

namespace slipway::partition {
namespace {

using ir::Argument;
using ir::Node;
using ir::SymInt;
using ir::Value;
using passes::Ints;
using passes::Ops;
using passes::TestProgram;

std::optional<std::string> all(const Node&, size_t) { return std::nullopt; }

// An engine for all but cosines.
std::optional<std::string> no_cos(const Node& node, size_t) {
  if (node.op() == "aten.cos.default") return "no cosine";
  return std::nullopt;
}

Plan plan_of(const ir::Program& program, const WhyNot& why_not = all, const Options& options = {}) {
  auto result = plan(program, why_not, options);
  EXPECT_TRUE(result.ok()) << result.error().message();
  return result.ok() ? *result : Plan();
}

template <class Items>
std::vector<std::string> names(const Items& items) {
  std::vector<std::string> result;
  for (const auto* item : items) result.push_back(item->name());
  return result;
}

using Names = std::vector<std::string>;

// Replaces without symbols, and checks what every pass must keep.
void replace_all(ir::Program& program, const Plan& plan, size_t first_engine = 0) {
  const std::vector<std::vector<std::string>> symbols(plan.partitions.size());
  const Status status = replace(program, plan, first_engine, symbols);
  ASSERT_TRUE(status.ok()) << status.error().message();
  const Status valid = ir::verify(program);
  EXPECT_TRUE(valid.ok()) << valid.error().message() << "\n" << ir::print(program);
}

// cos((x + 1) * 2) * 3 + w
struct Split : TestProgram {
  Value* x = input("x", type({4}));
  Value* w = constant("w", count({4}, {1}));
  Value* add = call("aten.add.Tensor", {x, call_ones()}, type({4}), "a");
  Value* mul = call("aten.mul.Scalar", {add, SymInt(2)}, type({4}), "b");
  Value* cos = call("aten.cos.default", {mul}, type({4}), "c");
  Value* thrice = call("aten.mul.Scalar", {cos, SymInt(3)}, type({4}), "d");
  Value* sum = call("aten.add.Tensor", {thrice, w}, type({4}), "e");
  Split() { output(sum); }

 private:
  Value* call_ones() { return constant("one", count({1}, {1}, 1)); }
};

TEST(Plan, TakesAWholeProgram) {
  Split program;
  const Plan found = plan_of(program.program);
  ASSERT_EQ(found.partitions.size(), 1U);
  EXPECT_EQ(names(found.partitions[0].nodes), (Names{"add", "mul", "cos", "mul_1", "add_1"}));
  EXPECT_EQ(names(found.partitions[0].inputs), Names{"x"});
  EXPECT_EQ(names(found.partitions[0].outputs), Names{"e"});
  EXPECT_TRUE(found.outside.empty());
}

TEST(Plan, SplitsAroundAnExcludedOperator) {
  Split program;
  for (const Options& options : {Options{.exclude_ops = {"aten.cos"}, .exclude_nodes = {}},
                                 Options{.exclude_ops = {"aten.cos.default"}, .exclude_nodes = {}},
                                 Options{.exclude_ops = {}, .exclude_nodes = {"cos"}}}) {
    const Plan found = plan_of(program.program, all, options);
    ASSERT_EQ(found.partitions.size(), 2U);
    EXPECT_EQ(names(found.partitions[0].inputs), Names{"x"});
    EXPECT_EQ(names(found.partitions[0].outputs), Names{"b"});
    EXPECT_EQ(names(found.partitions[1].inputs), Names{"c"});
    EXPECT_EQ(names(found.partitions[1].outputs), Names{"e"});
    ASSERT_EQ(found.outside.size(), 1U);
    EXPECT_EQ(found.outside[0].node->op(), "aten.cos.default");
    EXPECT_TRUE(found.outside[0].reason.starts_with("excluded by its "));
  }
  Options options;
  options.exclude_ops = {"aten.cos"};
  EXPECT_EQ(plan_of(program.program, all, options).outside[0].reason,
            "excluded by its operator, aten.cos");
  EXPECT_EQ(plan_of(program.program, no_cos).outside[0].reason, "no cosine");
}

TEST(Plan, RefusesExclusionsOfWhatIsNotThere) {
  Split program;
  Options options;
  options.exclude_ops = {"aten.coss"};
  auto wrong_op = plan(program.program, all, options);
  ASSERT_FALSE(wrong_op.ok());
  EXPECT_EQ(wrong_op.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(wrong_op.error().message().find("option 'exclude_ops' aten.coss"), std::string::npos);
  EXPECT_NE(wrong_op.error().message().find("did you mean aten.cos"), std::string::npos)
      << wrong_op.error().message();
  // The name of a part of an operator is not an operator.
  options.exclude_ops = {"aten.co"};
  EXPECT_FALSE(plan(program.program, all, options).ok());

  options.exclude_ops = {};
  options.exclude_nodes = {"layer_17_attention"};
  auto wrong_node = plan(program.program, all, options);
  ASSERT_FALSE(wrong_node.ok());
  EXPECT_EQ(wrong_node.error().message().find("did you mean"), std::string::npos);
}

TEST(Plan, GivesEachNodeToTheFirstEngineThatTakesIt) {
  Split program;
  const auto why_not = [](const Node& node, size_t engine) -> std::optional<std::string> {
    if (engine == 0 && node.op() == "aten.cos.default") return "no cosine";
    if (engine == 1 && node.op() == "aten.add.Tensor") return "no sum";
    return std::nullopt;
  };
  Options options = {.engines = {"first", "second"}, .exclude_ops = {}, .exclude_nodes = {}};
  Plan found = plan_of(program.program, why_not, options);
  ASSERT_EQ(found.partitions.size(), 3U);
  EXPECT_EQ(found.partitions[0].engine, 0U);
  EXPECT_EQ(names(found.partitions[0].nodes), (Names{"add", "mul"}));
  EXPECT_EQ(found.partitions[1].engine, 1U);
  EXPECT_EQ(names(found.partitions[1].nodes), Names{"cos"});
  EXPECT_EQ(found.partitions[2].engine, 0U);
  EXPECT_TRUE(found.partitions[0].passed_over.empty());
  ASSERT_EQ(found.partitions[1].passed_over.size(), 1U);
  EXPECT_EQ(found.partitions[1].passed_over[0].node->name(), "cos");
  EXPECT_EQ(found.partitions[1].passed_over[0].reason, "no cosine");
  EXPECT_TRUE(found.partitions[2].passed_over.empty());
  EXPECT_TRUE(found.outside.empty());

  options.exclude_ops = {"first:aten.mul", "second:aten.cos.default"};
  found = plan_of(program.program, why_not, options);
  ASSERT_EQ(found.outside.size(), 1U);
  EXPECT_EQ(found.outside[0].reason,
            "first: no cosine; second: excluded by its operator, second:aten.cos.default");
  std::vector<std::string> passed_over;
  for (const Partition& partition : found.partitions) {
    for (const PassedOver& node : partition.passed_over) passed_over.push_back(node.reason);
  }
  ASSERT_EQ(passed_over.size(), 2U);
  EXPECT_EQ(passed_over[0], "excluded by its operator, first:aten.mul");

  options.exclude_ops = {};
  options.exclude_nodes = {"first:mul"};
  found = plan_of(program.program, why_not, options);
  EXPECT_TRUE(found.outside.empty());
  ASSERT_EQ(found.partitions.size(), 3U);
  EXPECT_EQ(names(found.partitions[0].nodes), Names{"add"});
  EXPECT_EQ(names(found.partitions[1].nodes), (Names{"mul", "cos"}));
  EXPECT_EQ(found.partitions[1].passed_over[0].reason, "excluded by its name, first:mul");
  options.exclude_nodes = {"third:mul"};
  EXPECT_EQ(check_exclusions(program.program, options).error().message(),
            "option 'exclude_nodes' third:mul: 'third' is none of the engines (first, second)");
  options.exclude_nodes = {"first:mull"};
  EXPECT_TRUE(check_exclusions(program.program, options)
                  .error()
                  .message()
                  .starts_with("option 'exclude_nodes' first:mull: the program has no such node"));
  options.exclude_nodes = {};

  options.exclude_ops = {"third:aten.mul"};
  EXPECT_EQ(check_exclusions(program.program, options).error().message(),
            "option 'exclude_ops' third:aten.mul: 'third' is none of the engines (first, second)");
  options.exclude_ops = {"second:aten.mulx"};
  EXPECT_EQ(check_exclusions(program.program, options).error().message(),
            "option 'exclude_ops' second:aten.mulx: the program has no such operator; did you mean "
            "aten.mul?");
  options.exclude_ops = {"second:"};
  EXPECT_TRUE(check_exclusions(program.program, options)
                  .error()
                  .message()
                  .starts_with("option 'exclude_ops' second:: the program has no such operator"));
}

// x -> A (first) -> B (second) -> C (first), and A -> D (first): D may be with A or with C, but A
// not with C.
TEST(Plan, OfTwoEnginesHasNoCycle) {
  TestProgram program;
  Value* x = program.input("x", program.type({4}));
  Value* a = program.call("aten.add.Tensor", {x, x}, program.type({4}), "a");
  Value* b = program.call("aten.cos.default", {a}, program.type({4}), "b");
  Value* c = program.call("aten.add.Tensor", {b, a}, program.type({4}), "c");
  program.output(c);
  const auto why_not = [](const Node& node, size_t engine) -> std::optional<std::string> {
    if ((node.op() == "aten.cos.default") == (engine == 1)) return std::nullopt;
    return "no";
  };
  const Plan found =
      plan_of(program.program, why_not,
              {.engines = {"first", "second"}, .exclude_ops = {}, .exclude_nodes = {}});
  ASSERT_EQ(found.partitions.size(), 3U);
  EXPECT_EQ(names(found.partitions[0].outputs), Names{"a"});
  EXPECT_EQ(found.partitions[1].engine, 1U);
  replace_all(program.program, found);
}

TEST(Plan, ExcludesByTheNameInTheArchive) {
  TestProgram program;
  Value* x = program.input("x", TestProgram::type({4}));
  Value* y = program.call("aten.relu.default", {x}, TestProgram::type({4}), "y");
  // A pass made this node from the archive's "relu".
  Node* node = program.graph().add_node(
      "aten.cos.default", {y},
      {.before = nullptr, .origin = y->producer(), .stack_trace = {}, .name = {}});
  program.output(program.graph().add_output(node, TestProgram::type({4})));
  Options options;
  options.exclude_nodes = {"relu"};
  EXPECT_TRUE(plan_of(program.program, all, options).partitions.empty());
}

TEST(Plan, GivesMutatedBuffersToTheEngineAsInputs) {
  TestProgram program;
  Value* x = program.input("x", TestProgram::type({4}));
  Value* state = program.buffer("state", TestProgram::count({4}, {1}));
  Value* weight = program.buffer("weight", TestProgram::count({4}, {1}));
  Value* scaled = program.call("aten.mul.Tensor", {x, weight}, TestProgram::type({4}), "scaled");
  Value* next = program.call("aten.add.Tensor", {state, scaled}, TestProgram::type({4}), "next");
  Value* result = program.call("aten.relu.default", {next}, TestProgram::type({4}), "result");
  program.output(next);
  program.program.outputs.back() = {ir::OutputKind::kBufferMutation, "state"};
  program.output(result);

  const Plan found = plan_of(program.program);
  ASSERT_EQ(found.partitions.size(), 1U);
  EXPECT_EQ(names(found.partitions[0].inputs), (Names{"x", "state"}));
  EXPECT_EQ(names(found.partitions[0].outputs), (Names{"next", "result"}));

  replace_all(program.program, found);
  ASSERT_TRUE(passes::remove_dead_code(program.program).ok());
  ASSERT_EQ(program.program.inputs.size(), 2U);
  EXPECT_EQ(program.program.inputs[1].target, "state");
  EXPECT_EQ(program.result(0), next);
  EXPECT_EQ(next->producer()->op(), ir::kCallEngine);
}

TEST(Plan, LeavesNumbersAndSizesOfDataOutside) {
  TestProgram program;
  Value* x = program.input("x", TestProgram::type({4}));
  Value* y = program.call("aten.relu.default", {x}, TestProgram::type({4}), "y");
  Value* found_at = program.call("aten.nonzero.default", {y},
                                 TestProgram::type({SymInt::symbol("u0"), 1}, DType::kInt64), "n");
  Node* item = program.node("aten.item.default", {y}, {}, "item");
  Value* number = program.graph().add_output(item, ir::ValueKind::kSymFloat, 0);
  Value* filled = program.call("aten.full_like.default", {y, number}, TestProgram::type({4}), "f");
  // Needs the symbol, and none of nonzero's results.
  Value* zeros = program.call("aten.full.default", {Ints{SymInt::symbol("u0")}, 1.0},
                              TestProgram::type({SymInt::symbol("u0")}), "z");
  Value* twice = program.call("aten.add.Tensor", {zeros, zeros},
                              TestProgram::type({SymInt::symbol("u0")}), "t");
  for (Value* value : {found_at, filled, twice}) program.output(value);

  const Plan plan = plan_of(program.program);
  std::map<std::string, std::string> reasons;
  for (const Outside& outside : plan.outside) reasons[outside.node->op()] = outside.reason;
  EXPECT_EQ(reasons,
            (std::map<std::string, std::string>{
                {"aten.nonzero.default", "the size of its result depends on data"},
                {"aten.item.default", "its result is a number"},
                {"aten.full_like.default", "it takes a number that is known only at run time"}}));
  // y is before nonzero, and what has its symbol after it.
  ASSERT_EQ(plan.partitions.size(), 2U);
  EXPECT_EQ(names(plan.partitions[0].nodes), Names{"relu"});
  EXPECT_EQ(names(plan.partitions[1].nodes), (Names{"full", "add"}));
  EXPECT_TRUE(plan.partitions[1].inputs.empty());

  const Status status = replace(program.program, plan, 3, {{}, {"u0"}});
  ASSERT_TRUE(status.ok()) << status.error().message();
  const Status valid = ir::verify(program.program);
  EXPECT_TRUE(valid.ok()) << valid.error().message();
  const Node* call = twice->producer();
  ASSERT_EQ(call->op(), ir::kCallEngine);
  EXPECT_EQ(std::get<SymInt>(call->arg(0)), SymInt(4));
  const auto& inputs = std::get<std::vector<Value*>>(call->arg(1));
  ASSERT_EQ(inputs.size(), 1U);
  EXPECT_EQ(inputs[0]->producer()->op(), "aten.full.default");
  EXPECT_EQ(inputs[0]->type(), TestProgram::type({1}, DType::kInt64));
  EXPECT_EQ(std::get<SymInt>(inputs[0]->producer()->arg(1)), SymInt::symbol("u0"));
  // The nodes of the partition are gone, and the symbol is read after nonzero.
  EXPECT_EQ(program.ops(), (Ops{ir::kCallEngine, "aten.nonzero.default", "aten.item.default",
                                "aten.full_like.default", "aten.full.default", ir::kCallEngine}));
}

TEST(Plan, FollowsTheOperandsOfBranches) {
  TestProgram program;
  Value* x = program.input("x", TestProgram::type({4}));
  Value* positive = program.input("positive", TestProgram::type({}, DType::kBool));
  Value* before = program.call("aten.relu.default", {x}, TestProgram::type({4}), "before");
  auto branch = [] {
    auto graph = std::make_shared<ir::Graph>();
    Value* operand = graph->add_input("operand", TestProgram::type({4}));
    Node* node = graph->add_node("aten.cos.default", {operand}, {});
    graph->outputs().emplace_back(graph->add_output(node, TestProgram::type({4})));
    return graph;
  };
  Node* cond =
      program.node("higher_order.cond", {positive, branch(), branch(), std::vector<Value*>{before}},
                   {TestProgram::type({4})}, "cond");
  Value* after =
      program.call("aten.relu.default", {cond->output()}, TestProgram::type({4}), "after");
  program.output(after);

  // An operator in a branch keeps the whole from the engine.
  Options options;
  options.exclude_ops = {"aten.cos"};
  const Plan found = plan_of(program.program, all, options);
  ASSERT_EQ(found.outside.size(), 1U);
  EXPECT_EQ(found.outside[0].node, cond);
  ASSERT_EQ(found.partitions.size(), 2U);
  EXPECT_EQ(names(found.partitions[0].outputs), Names{"before"});
  EXPECT_EQ(names(found.partitions[1].inputs), Names{"cond"});
  EXPECT_EQ(plan_of(program.program).partitions.size(), 1U);
}

TEST(Plan, LeavesSmallPartitionsOutside) {
  TestProgram program;
  Value* x = program.input("x", TestProgram::type({4}));
  Value* a = program.call("aten.relu.default", {x}, TestProgram::type({4}), "a");
  Value* b = program.call("aten.cos.default", {a}, TestProgram::type({4}), "b");
  Value* c = program.call("aten.exp.default", {b}, TestProgram::type({4}), "c");
  Value* d = program.call("aten.tanh.default", {c}, TestProgram::type({4}), "d");
  program.output(d);
  Options options;
  EXPECT_EQ(plan_of(program.program, no_cos, options).partitions.size(), 2U);
  options.min_size = 2;
  const Plan found = plan_of(program.program, no_cos, options);
  ASSERT_EQ(found.partitions.size(), 1U);
  EXPECT_EQ(names(found.partitions[0].nodes), (Names{"exp", "tanh"}));
  EXPECT_EQ(names(found.partitions[0].inputs), Names{"b"});
  EXPECT_EQ(found.outside[0].node->name(), "relu");
  EXPECT_EQ(found.outside[0].reason, "its partition would have 1 node, and the least is 2");
  options.min_size = 3;
  const Plan none = plan_of(program.program, no_cos, options);
  EXPECT_TRUE(none.partitions.empty());
  EXPECT_EQ(none.outside.size(), program.graph().nodes().size());
}

TEST(Plan, LeavesConstantsBesideTheNodesOutsideThatTakeThem) {
  TestProgram program;
  Value* x = program.input("x", TestProgram::type({4}));
  Value* w = program.constant("w", TestProgram::count({4}, {1}));
  auto call = [&](const std::string& op, std::vector<Argument> args, const std::string& name) {
    return program.call(op, std::move(args), TestProgram::type({4}), name);
  };
  Value* ones = call("aten.full.default", {Ints{4}, 1.0}, "ones");
  Value* sum = call("aten.add.Tensor", {w, ones}, "sum");
  Value* angles = call("aten.cos.default", {sum}, "angles");
  Value* twos = call("aten.full.default", {Ints{4}, 2.0}, "twos");
  Value* product = call("aten.mul.Tensor", {x, angles}, "product");
  program.output(call("aten.add.Tensor", {product, twos}, "result"));

  const Plan found = plan_of(program.program, no_cos);
  ASSERT_EQ(found.partitions.size(), 1U);
  EXPECT_EQ(names(found.partitions[0].nodes), (Names{"full_1", "mul", "add_1"}));
  EXPECT_EQ(names(found.partitions[0].inputs), (Names{"x", "angles"}));
  ASSERT_EQ(found.outside.size(), 3U);
  EXPECT_EQ(found.outside[0].node->name(), "full");
  EXPECT_EQ(found.outside[0].reason,
            "a node outside takes it, and it is computed without any input");
  EXPECT_EQ(found.outside[1].node->name(), "add");
  EXPECT_EQ(found.outside[2].reason, "no cosine");
}

TEST(Plan, ComputesOnWeightsWhereTheyAreUsed) {
  TestProgram program;
  Value* x = program.input("x", TestProgram::type({2, 2}));
  Value* w = program.constant("w", TestProgram::count({2, 2}, {2, 1}));
  auto call = [&](const std::string& op, std::vector<Argument> args, const std::string& name) {
    return program.call(op, std::move(args), TestProgram::type({2, 2}), name);
  };
  Value* turned = call("aten.permute.default", {w, Ints{1, 0}}, "turned");
  Value* doubled = call("aten.mul.Scalar", {turned, SymInt(2)}, "doubled");
  Value* shared = call("aten.neg.default", {w}, "shared");
  Value* first = call("aten.mm.default", {x, shared}, "first");
  Value* cosine = call("aten.cos.default", {first}, "cosine");
  Value* second = call("aten.mm.default", {cosine, doubled}, "second");
  program.output(call("aten.add.Tensor", {second, shared}, "third"));
  program.output(doubled);

  const Plan found = plan_of(program.program, no_cos);
  ASSERT_EQ(found.partitions.size(), 2U);
  EXPECT_EQ(names(found.partitions[0].nodes), (Names{"neg", "mm"}));
  EXPECT_EQ(names(found.partitions[0].outputs), (Names{"shared", "first"}));
  EXPECT_EQ(names(found.partitions[1].nodes), (Names{"permute", "mul", "mm_1", "add"}));
  EXPECT_EQ(names(found.partitions[1].inputs), (Names{"shared", "cosine"}));
  EXPECT_EQ(names(found.partitions[1].outputs), (Names{"doubled", "third"}));
  replace_all(program.program, found);
}

TEST(Plan, LeavesMereShapesOutside) {
  TestProgram program;
  Value* x = program.input("x", TestProgram::type({4}));
  Value* a = program.call("aten.cos.default", {x}, TestProgram::type({4}), "a");
  Value* b = program.call("aten.view.default", {a, Ints{2, 2}}, TestProgram::type({2, 2}), "b");
  Value* c =
      program.call("aten.unsqueeze.default", {b, SymInt(0)}, TestProgram::type({1, 2, 2}), "c");
  Value* d = program.call("aten.cos.default", {c}, TestProgram::type({1, 2, 2}), "d");
  Value* e = program.call("aten.relu.default", {d}, TestProgram::type({1, 2, 2}), "e");
  program.output(e);
  const Plan found = plan_of(program.program, no_cos);
  ASSERT_EQ(found.partitions.size(), 1U);
  EXPECT_EQ(names(found.partitions[0].nodes), Names{"relu"});
  ASSERT_EQ(found.outside.size(), 4U);
  EXPECT_NE(found.outside[1].reason.find("only give tensors other shapes"), std::string::npos);
}

TEST(Replace, SurvivesThePassesThatFollow) {
  Split program;
  Value* unused =
      program.call("aten.mul.Tensor", {program.x, program.w}, TestProgram::type({4}), "unused");
  ASSERT_NE(unused, nullptr);
  ASSERT_TRUE(passes::remove_dead_code(program.program).ok());
  const Plan found = plan_of(program.program, no_cos);
  const std::string trace = found.partitions[0].nodes[0]->origin();
  replace_all(program.program, found, 1);
  const Ops ops{ir::kCallEngine, "aten.cos.default", ir::kCallEngine};
  EXPECT_EQ(program.ops(), ops);
  EXPECT_EQ(program.at(0)->origin(), trace);
  EXPECT_EQ(program.at(0)->output()->name(), "b");
  EXPECT_EQ(std::get<SymInt>(program.at(0)->arg(0)), SymInt(1));
  EXPECT_EQ(std::get<SymInt>(program.at(2)->arg(0)), SymInt(2));
  EXPECT_EQ(program.result(0)->name(), "e");

  for (auto pass :
       {passes::decompose, passes::remove_no_ops, passes::deduplicate, passes::remove_dead_code}) {
    const Status status = program.apply(pass);
    ASSERT_TRUE(status.ok()) << status.error().message();
    EXPECT_EQ(program.ops(), ops);
  }
  const Status folded = program.apply(passes::fold_constants, passes::Evaluator());
  ASSERT_TRUE(folded.ok()) << folded.error().message();
  EXPECT_EQ(program.ops(), ops);
  // The engines have the weights.
  ASSERT_EQ(program.program.inputs.size(), 1U);
  EXPECT_EQ(program.program.inputs[0].name, "x");
}

TEST(Replace, RefusesAPlanWithACycle) {
  Split program;
  Plan wrong = plan_of(program.program, no_cos);
  auto& nodes = wrong.partitions[0].nodes;
  nodes.insert(nodes.end(), wrong.partitions[1].nodes.begin(), wrong.partitions[1].nodes.end());
  wrong.partitions.pop_back();
  EXPECT_FALSE(replace(program.program, wrong, 0, {{}}).ok());
  EXPECT_FALSE(replace(program.program, wrong, 0, {}).ok());
}

// ---- Random graphs.

struct RandomProgram : TestProgram {
  RandomProgram(uint32_t seed, size_t size) : random(seed) {
    std::vector<Value*> values = {input("x", type({4})), input("y", type({4}))};
    const uint32_t cosines = 2 + random() % 3;  // one node in so many
    const uint32_t reach = 1 + random() % 6;    // how far back most nodes look
    for (size_t i = 0; i < size; ++i) {
      auto pick = [&] {
        if (random() % 6 == 0) return values[random() % 2];
        return values[values.size() - 1 - random() % std::min<size_t>(reach, values.size())];
      };
      values.push_back(random() % cosines == 0
                           ? call("aten.cos.default", {pick()}, type({4}), "c")
                           : call("aten.add.Tensor", {pick(), pick()}, type({4}), "a"));
    }
    std::set<const Value*> used;
    for (const auto& node : graph().nodes()) {
      for (const Argument& argument : node->args()) {
        ir::Graph::for_each_value(argument, [&](const Value* value) { used.insert(value); });
      }
    }
    for (Value* value : values) {
      if (!used.contains(value)) output(value);
    }
  }

  std::mt19937 random;
};

// Whether a graph whose groups (by position; -1: none) are single nodes has no cycle.
bool is_acyclic(const ir::Graph& graph, const std::vector<int>& groups) {
  std::map<const Node*, int> item;
  int next = static_cast<int>(groups.size());
  size_t position = 0;
  for (const auto& node : graph.nodes()) {
    const int group = groups[position++];
    item[node.get()] = group >= 0 ? group : next++;
  }
  std::map<int, std::set<int>> needs;
  for (const auto& [node, id] : item) {
    needs[id];
    for (const Argument& argument : node->args()) {
      ir::Graph::for_each_value(argument, [&, to = id](const Value* value) {
        if (value->producer() && item[value->producer()] != to) {
          needs[to].insert(item[value->producer()]);
        }
      });
    }
  }
  while (!needs.empty()) {
    auto free = std::find_if(needs.begin(), needs.end(),
                             [](const auto& entry) { return entry.second.empty(); });
    if (free == needs.end()) return false;
    const int id = free->first;
    needs.erase(free);
    for (auto& [other, ids] : needs) ids.erase(id);
  }
  return true;
}

// The fewest groups of the nodes that have one, by trying all; none has nodes of two engines, which
// are those of the groups given.
size_t fewest_groups(const ir::Graph& graph, std::vector<int> groups,
                     const std::vector<size_t>& engines = {}) {
  std::vector<size_t> taken;
  std::vector<size_t> engine_of;  // of each taken
  for (size_t i = 0; i < groups.size(); ++i) {
    if (groups[i] >= 0) {
      taken.push_back(i);
      engine_of.push_back(engines.empty() ? 0 : engines[static_cast<size_t>(groups[i])]);
    }
    groups[i] = -1;
  }
  std::vector<size_t> engine_of_group(taken.size());
  size_t best = taken.size();
  std::function<void(size_t, int)> assign = [&](size_t i, int used) {
    if (static_cast<size_t>(used) >= best && i < taken.size()) return;
    if (i == taken.size()) {
      if (static_cast<size_t>(used) < best && is_acyclic(graph, groups)) {
        best = static_cast<size_t>(used);
      }
      return;
    }
    for (int group = 0; group <= used; ++group) {
      size_t& engine = engine_of_group[static_cast<size_t>(group)];
      if (group == used) engine = engine_of[i];
      if (engine != engine_of[i]) continue;
      groups[taken[i]] = group;
      assign(i + 1, std::max(used, group + 1));
    }
    groups[taken[i]] = -1;
  };
  assign(0, 0);
  return best;
}

std::vector<int> groups_of(const ir::Graph& graph, const Plan& plan) {
  std::map<const Node*, int> group;
  for (size_t p = 0; p < plan.partitions.size(); ++p) {
    for (const Node* node : plan.partitions[p].nodes) group[node] = static_cast<int>(p);
  }
  std::vector<int> result;
  for (const auto& node : graph.nodes()) {
    auto entry = group.find(node.get());
    result.push_back(entry == group.end() ? -1 : entry->second);
  }
  return result;
}

TEST(RandomGraphs, HaveTheFewestPartitions) {
  size_t split = 0;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    RandomProgram program(seed, 3 + seed % 8);
    Options options;
    options.min_size = 1 + seed % 3;
    const Plan found = plan_of(program.program, no_cos, options);
    const std::vector<int> groups = groups_of(program.graph(), found);
    ASSERT_TRUE(is_acyclic(program.graph(), groups));
    ASSERT_EQ(found.partitions.size(), fewest_groups(program.graph(), groups))
        << "seed " << seed << "\n"
        << ir::print(program.program);
    split += found.partitions.size() > 1 ? 1 : 0;
  }
  EXPECT_GT(split, 40U);
}

// Additions go to the first engine, two of three cosines to the second.
std::optional<std::string> of_two(const Node& node, size_t engine) {
  const bool is_cos = node.op() == "aten.cos.default";
  if (is_cos == (engine == 1) && (!is_cos || node.name().back() % 3 != 0)) return std::nullopt;
  return "not of this engine";
}

const Options kTwoEngines = {
    .engines = {"adds", "cosines"}, .exclude_ops = {}, .exclude_nodes = {}};

TEST(RandomGraphs, OfTwoEnginesHaveFewPartitions) {
  size_t wanted = 0;
  size_t found_in_all = 0;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    RandomProgram program(seed, 3 + seed % 7);
    const Plan found = plan_of(program.program, of_two, kTwoEngines);
    std::vector<size_t> engines;  // of each group
    for (const Partition& partition : found.partitions) {
      engines.push_back(partition.engine);
      for (const Node* node : partition.nodes) ASSERT_FALSE(of_two(*node, partition.engine));
    }
    const std::vector<int> groups = groups_of(program.graph(), found);
    ASSERT_TRUE(is_acyclic(program.graph(), groups));
    const size_t fewest = fewest_groups(program.graph(), groups, engines);
    ASSERT_LE(fewest, found.partitions.size());
    wanted += fewest;
    found_in_all += found.partitions.size();
  }
  EXPECT_GT(wanted, 600U);
  EXPECT_LE(found_in_all, wanted + wanted / 50);
}

TEST(RandomGraphs, OfTwoEnginesAreReplacedSoundly) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    RandomProgram program(seed, 150);
    const size_t nodes = program.graph().nodes().size();
    const Plan found = plan_of(program.program, of_two, kTwoEngines);
    size_t taken = 0;
    for (const Partition& partition : found.partitions) {
      taken += partition.nodes.size();
      for (const PassedOver& passed : partition.passed_over) {
        ASSERT_EQ(passed.engine, 0U);
        ASSERT_EQ(passed.node->op(), "aten.cos.default");
      }
    }
    ASSERT_EQ(taken + found.outside.size(), nodes);
    replace_all(program.program, found);
    ASSERT_EQ(program.graph().nodes().size(), nodes - taken + found.partitions.size());
  }
}

TEST(RandomGraphs, AreReplacedSoundlyAndAlwaysTheSame) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    Options options;
    options.min_size = 1 + seed % 4;
    std::string texts[2];
    for (std::string& text : texts) {
      RandomProgram program(seed, 150);
      const size_t nodes = program.graph().nodes().size();
      const Plan found = plan_of(program.program, no_cos, options);
      size_t taken = 0;
      for (const Partition& partition : found.partitions) {
        ASSERT_GE(partition.nodes.size(), options.min_size);
        ASSERT_FALSE(partition.outputs.empty());
        taken += partition.nodes.size();
      }
      ASSERT_EQ(taken + found.outside.size(), nodes);
      replace_all(program.program, found);
      ASSERT_EQ(program.graph().nodes().size(), nodes - taken + found.partitions.size());
      text = ir::print(program.program);
    }
    ASSERT_EQ(texts[0], texts[1]);
  }
}

// ---- Real programs.

Result<ir::Program> read_golden(const std::filesystem::path& path) {
  auto program = pt2::read_program(path.string());
  if (!program.ok()) return program;
  for (auto pass : {passes::functionalize, passes::remove_no_ops, passes::remove_dead_code}) {
    if (Status status = pass(*program); !status.ok()) return status.error();
  }
  return program;
}

TEST(Golden, BecomesOnePartition) {
  // They read numbers and sizes from data.
  const std::set<std::string> split = {"nonzero_item"};
  size_t planned = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(SLIPWAY_TEST_DATA) + "/golden")) {
    const std::string file = entry.path().filename().string();
    if (entry.path().extension() != ".pt2" || file.starts_with("engine_")) continue;
    SCOPED_TRACE(file);
    auto program = read_golden(entry.path());
    ASSERT_TRUE(program.ok()) << program.error().message();
    const Plan found = plan_of(*program);
    ++planned;
    if (split.contains(file.substr(0, file.find('.')))) continue;
    EXPECT_EQ(found.partitions.size(), 1U);
    for (const Outside& outside : found.outside) {
      ADD_FAILURE() << outside.node->name() << " (" << outside.node->op() << ") " << outside.reason;
    }
    replace_all(*program, found);
    ASSERT_TRUE(passes::remove_dead_code(*program).ok());
    // All data belongs to the engine, but for what the program changes.
    for (const ir::Input& input : program->inputs) {
      if (!input.data) continue;
      EXPECT_TRUE(
          std::any_of(program->outputs.begin(), program->outputs.end(),
                      [&](const ir::Output& output) { return output.target == input.target; }))
          << input.target;
    }
  }
  EXPECT_GE(planned, 20U);
}

}  // namespace
}  // namespace slipway::partition
