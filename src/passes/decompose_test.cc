#include "passes/passes.h"
#include "passes/program_test.h"
#include "passes/rewrite.h"

namespace slipway::passes {
namespace {

using ir::Dictionary;
using ir::FloatItem;
using ir::Graph;
using ir::Node;
using ir::SymInt;
using ir::Value;
using ir::ValueKind;

class DecomposeTest : public testing::Test, protected TestProgram {
 protected:
  Value* x_ = input("x", type({2, 3}));

  // A sub-graph whose one node changes nothing.
  std::shared_ptr<Graph> sub_graph() {
    auto graph = std::make_shared<Graph>();
    Value* inside = graph->add_input("inside", x_->type());
    graph->add_input("literal", ValueKind::kAbsent);
    Node* detach = graph->add_node("aten.detach.default", {inside}, {});
    graph->outputs() = {graph->add_output(detach, x_->type())};
    return graph;
  }

  // Of an operator that nothing knows, with arguments of all rare kinds.
  Value* call_rare(Value* tensor, Value* number, const std::string& hint, bool with_graph) {
    Dictionary hints{{{"name", hint}, {"tensor", tensor}, {"size", SymInt::symbol("s0")}}};
    if (with_graph) hints.entries.push_back({"graph", sub_graph()});
    Node* node = graph().add_node(
        "torchvision.rare.default",
        {std::vector<std::vector<Value*>>{{tensor}, {x_, tensor}},
         std::vector<std::vector<double>>{{1.5}, {}}, std::vector<FloatItem>{number, 2.5},
         std::vector<ir::BoolItem>{true}, Dictionary{{{"nested", std::move(hints)}}}},
        {});
    return graph().add_output(node, x_->type());
  }

  Value* number() {
    Node* node = graph().add_node("torch.sym_float", {SymInt::symbol("s0")}, {});
    return graph().add_output(node, ValueKind::kSymFloat, 0);
  }
};

TEST_F(DecomposeTest, RefusesUnknownOperatorsWhateverTheirArguments) {
  Value* same = call("aten.detach.default", {x_}, x_->type(), "same");
  output(call_rare(same, number(), "a", true));
  ASSERT_TRUE(apply(functionalize).ok());
  ASSERT_TRUE(apply(remove_no_ops).ok());
  EXPECT_EQ(ops(), (Ops{"torch.sym_float", "torchvision.rare.default"}));
  const std::vector<Graph*> inner = sub_graphs(*at(1));
  ASSERT_EQ(inner.size(), 1U);
  EXPECT_EQ(ops(*inner[0]), Ops{});
  EXPECT_EQ(ir::print(at(1)->arg(0)), "[[%x], [%x, %x]]");
  EXPECT_EQ(ir::print(at(1)->arg(4)),
            R"({"nested": {"name": "a", "tensor": %x, "size": s0, "graph": graph}})");
  ASSERT_TRUE(apply(fold_constants, Evaluator()).ok());
  ASSERT_TRUE(apply(deduplicate).ok());
  ASSERT_TRUE(apply(remove_dead_code).ok());

  const Status status = apply(decompose);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(
      status.error().message().find(
          "torchvision.rare.default, once: node rare (torchvision.rare.default)\n    it is not an "
          "operator of PyTorch's own"),
      std::string::npos)
      << status.error().message();
}

TEST_F(DecomposeTest, DeduplicateComparesRareArguments) {
  Value* a = number();
  Value* b = number();
  output(call_rare(x_, a, "one", false));
  output(call_rare(x_, b, "one", false));
  output(call_rare(x_, a, "two", false));
  ASSERT_TRUE(apply(deduplicate).ok());
  EXPECT_EQ(ops(),
            (Ops{"torch.sym_float", "torchvision.rare.default", "torchvision.rare.default"}));
  EXPECT_EQ(result(0), result(1));
  EXPECT_NE(result(0), result(2));
}

TEST_F(DecomposeTest, SaysWhereTorchaosOperatorsAreExpressedByOthers) {
  output(call("torchao.rare.default", {x_}, x_->type(), "rare"));
  program.dialect = "TRAINING";
  const Status status = apply(decompose);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(
      status.error().message().find("torchao's operator is not compiled for these types: save "
                                    "the exported program's `.run_decompositions()`"),
      std::string::npos)
      << status.error().message();
}

TEST_F(DecomposeTest, RefusesTypesThatNoKernelComputes) {
  Value* integers = input("integers", type({4, 3}, DType::kInt64));
  output(call("aten._pdist_forward.default", {integers, 2.0}, type({6}, DType::kInt64), "far"));
  const Status status = apply(decompose);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message().find("node _pdist_forward (aten._pdist_forward.default)\n    "
                                          "no kernel computes it for operands of "
                                          "int64 and a result of int64: convert its operands"),
            std::string::npos)
      << status.error().message();
}

TEST_F(DecomposeTest, RefusesNodesOfWhichAResultIsNone) {
  Value* w = input("w", type({2, 3}));
  Node* node =
      graph().add_node("aten.native_layer_norm_backward.default",
                       {x_, x_, Ints{3}, x_, x_, w, w, std::vector<bool>{true, false, true}}, {});
  output(graph().add_output(node, x_->type()));
  graph().add_output(node, ValueKind::kAbsent, 0);
  output(graph().add_output(node, x_->type()));
  for (auto pass : {functionalize, remove_no_ops, deduplicate, remove_dead_code}) {
    ASSERT_TRUE(apply(pass).ok());
  }
  const Status status = apply(decompose);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message().find("one of its results is None"), std::string::npos)
      << status.error().message();
}

}  // namespace
}  // namespace slipway::passes
