#include "ir/graph.h"

#include <gtest/gtest.h>

namespace slipway::ir {
namespace {

TensorType tensor(std::vector<SymInt> sizes) { return {DType::kFloat32, std::move(sizes), {}}; }

std::vector<std::string> node_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const auto& node : graph.nodes()) names.push_back(node->name());
  return names;
}

TEST(GraphTest, NamesAreUnique) {
  Graph graph;
  Value* a = graph.add_input("x", tensor({2}));
  Value* b = graph.add_input("x", tensor({2}));
  Value* c = graph.add_input("x_1", tensor({2}));
  EXPECT_EQ(a->name(), "x");
  EXPECT_EQ(b->name(), "x_1");
  EXPECT_EQ(c->name(), "x_1_1");
  Node* node = graph.add_node("aten.relu.default", {a}, {});
  EXPECT_EQ(node->name(), "relu");
  EXPECT_EQ(graph.add_output(node, tensor({2}))->name(), "relu");
  EXPECT_EQ(graph.add_output(node, tensor({2}))->name(), "relu_1");
  graph.rename(c, "x");
  EXPECT_EQ(c->name(), "x_2");
  graph.rename(c, "y");
  EXPECT_EQ(c->name(), "y");
}

TEST(GraphTest, NodesGoWhereTheyAreAskedTo) {
  Graph graph;
  Value* x = graph.add_input("x", tensor({2}));
  Node* last = graph.add_node("aten.relu.default", {x}, {.stack_trace = "File a.py", .name = "l"});
  Node* first = graph.add_node("aten.neg.default", {x}, {.before = last, .origin = last});
  EXPECT_EQ(node_names(graph), (std::vector<std::string>{"neg", "l"}));
  EXPECT_EQ(first->stack_trace(), "File a.py");
  EXPECT_EQ(first->origin(), "l");
  graph.erase(last);
  EXPECT_EQ(node_names(graph), (std::vector<std::string>{"neg"}));
}

TEST(GraphTest, ResultsMoveToAnotherNode) {
  Graph graph;
  Value* x = graph.add_input("x", tensor({2}));
  Node* from = graph.add_node("aten.aminmax.default", {x}, {});
  Value* low = graph.add_output(from, tensor({}), "low");
  Value* high = graph.add_output(from, tensor({}), "high");
  graph.outputs() = {low, high};
  Node* to = graph.add_node("slipway.call_engine", {SymInt(0), std::vector<Value*>{x}}, {});
  graph.move_output(low, to);
  EXPECT_EQ(high->index(), 0U);
  graph.move_output(high, to);
  EXPECT_TRUE(from->outputs().empty());
  graph.erase(from);
  EXPECT_EQ(to->outputs(), (std::vector<Value*>{low, high}));
  EXPECT_EQ(low->producer(), to);
  EXPECT_EQ(high->index(), 1U);
  EXPECT_EQ(high->name(), "high");
}

TEST(GraphTest, SortsByRankAndKeepsTheOrderWithinOne) {
  Graph graph;
  Value* x = graph.add_input("x", tensor({2}));
  for (const char* name : {"c", "a1", "b", "a2"}) {
    graph.add_node("aten.relu.default", {x}, {.name = name});
  }
  graph.sort([](const Node* node) { return static_cast<size_t>(node->name()[0]); });
  EXPECT_EQ(node_names(graph), (std::vector<std::string>{"a1", "a2", "b", "c"}));
  // Nodes know their places still.
  Node* b = std::next(graph.nodes().begin(), 2)->get();
  graph.add_node("aten.relu.default", {x}, {.before = b, .name = "before_b"});
  graph.erase(b);
  EXPECT_EQ(node_names(graph), (std::vector<std::string>{"a1", "a2", "before_b", "c"}));
}

TEST(GraphTest, ReplacesUses) {
  Graph graph;
  Value* x = graph.add_input("x", tensor({2}));
  Value* y = graph.add_input("y", tensor({2}));
  Value* z = graph.add_input("z", tensor({2}));
  Node* node = graph.add_node("aten.cat.default", {std::vector<Value*>{x, nullptr, x}, 0}, {});
  graph.outputs() = {x, SymInt(3)};
  graph.replace_all_uses(x, y);
  EXPECT_EQ(std::get<std::vector<Value*>>(node->arg(0)), (std::vector<Value*>{y, nullptr, y}));
  EXPECT_EQ(std::get<Value*>(graph.outputs()[0]), y);
  // Chains are followed.
  graph.outputs() = {x, y};
  graph.replace_all_uses([&](Value* value) { return value == x ? y : value == y ? z : nullptr; });
  EXPECT_EQ(std::get<Value*>(graph.outputs()[0]), z);
  EXPECT_EQ(std::get<Value*>(graph.outputs()[1]), z);
  EXPECT_EQ(std::get<std::vector<Value*>>(node->arg(0)), (std::vector<Value*>{z, nullptr, z}));
}

TEST(GraphTest, ReplacesUsesInsideOfArguments) {
  Graph graph;
  Value* x = graph.add_input("x", tensor({2}));
  Value* y = graph.add_input("y", tensor({2}));
  Value* n = graph.add_input("n", ValueKind::kSymFloat);
  const std::vector<Argument> args = {
      std::vector<std::vector<Value*>>{{x}, {y, nullptr, x}}, std::vector<FloatItem>{n, 1.5},
      std::vector<BoolItem>{true, n}, Dictionary{{{"a", Dictionary{{{"b", x}}}}, {"c", n}}}};
  Node* node = graph.add_node("library.op.default", args, {});
  int count = 0;
  for (const Argument& argument : node->args()) {
    Graph::for_each_value(argument, [&count](Value*) { ++count; });
  }
  EXPECT_EQ(count, 7);
  graph.replace_all_uses(x, y);
  EXPECT_EQ(node->arg(0), Argument(std::vector<std::vector<Value*>>{{y}, {y, nullptr, y}}));
  EXPECT_EQ(node->arg(1), args[1]);
  EXPECT_EQ(node->arg(3), Argument(Dictionary{{{"a", Dictionary{{{"b", y}}}}, {"c", n}}}));
  EXPECT_NE(node->arg(3), args[3]);
}

TEST(GraphTest, RemovesInputs) {
  Graph graph;
  Value* x = graph.add_input("x", tensor({2}));
  Value* y = graph.add_input("y", tensor({2}));
  graph.remove_inputs([&](const Value* value) { return value == x; });
  ASSERT_EQ(graph.inputs().size(), 1u);
  EXPECT_EQ(graph.inputs()[0], y);
  EXPECT_EQ(y->index(), 0u);
}

TEST(GraphTest, ClonesDeeply) {
  auto inner = std::make_shared<Graph>();
  Value* inner_x = inner->add_input("x", tensor({2}));
  inner->outputs() = {inner_x};

  Graph graph;
  Value* x = graph.add_input("x", tensor({SymInt::symbol("s0")}));
  Value* n = graph.add_input("n", ValueKind::kSymInt, SymInt::symbol("s0"));
  Node* node = graph.add_node("higher_order.cond", {x, inner, std::vector<Value*>{x}},
                              {.stack_trace = "trace", .name = "branch"});
  Value* result = graph.add_output(node, tensor({2}), "result");
  graph.outputs() = {result, SymInt(4)};

  std::map<const Value*, Value*> map;
  auto copy = graph.clone([&](const Value* from, Value* to) { map[from] = to; });
  EXPECT_EQ(map.size(), 4u);
  EXPECT_NE(map.at(x), x);
  EXPECT_EQ(map.at(x)->type(), x->type());
  EXPECT_EQ(map.at(n)->expression(), n->expression());
  EXPECT_EQ(map.at(n)->kind(), ValueKind::kSymInt);
  const Node& node_copy = *copy->nodes().front();
  EXPECT_EQ(node_copy.name(), "branch");
  EXPECT_EQ(node_copy.stack_trace(), "trace");
  EXPECT_EQ(node_copy.value(0), map.at(x));
  EXPECT_EQ(std::get<std::vector<Value*>>(node_copy.arg(2)), std::vector<Value*>{map.at(x)});
  const auto& inner_copy = std::get<std::shared_ptr<Graph>>(node_copy.arg(1));
  EXPECT_NE(inner_copy, inner);
  EXPECT_EQ(std::get<Value*>(inner_copy->outputs()[0]), map.at(inner_x));
  EXPECT_EQ(std::get<Value*>(copy->outputs()[0]), map.at(result));
  EXPECT_EQ(map.at(result)->producer(), &node_copy);
  EXPECT_EQ(std::get<SymInt>(copy->outputs()[1]), SymInt(4));
}

TEST(GraphTest, ClonesGraphsInsideOfDictionaries) {
  auto inner = std::make_shared<Graph>();
  inner->add_input("literal", ValueKind::kAbsent);
  Graph graph;
  Value* x = graph.add_input("x", tensor({2}));
  graph.add_node("higher_order.hop", {Dictionary{{{"g", inner}, {"x", x}}}}, {});
  const auto copy = graph.clone();
  const auto& entries = std::get<Dictionary>(copy->nodes().front()->arg(0)).entries;
  EXPECT_EQ(std::get<Value*>(entries[1].value), copy->inputs()[0]);
  std::vector<std::shared_ptr<Graph>> graphs;
  Graph::for_each_graph(
      copy->nodes().front()->arg(0),
      [&graphs](const std::shared_ptr<Graph>& found) { graphs.push_back(found); });
  ASSERT_EQ(graphs.size(), 1u);
  EXPECT_NE(graphs[0], inner);
  EXPECT_EQ(graphs[0]->inputs()[0]->kind(), ValueKind::kAbsent);
}

}  // namespace
}  // namespace slipway::ir
