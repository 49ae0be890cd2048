#include <limits>

#include <gtest/gtest.h>

#include "ir/program.h"

namespace slipway::ir {
namespace {

TEST(PrinterTest, Arguments) {
  EXPECT_EQ(print(Argument(None())), "None");
  EXPECT_EQ(print(Argument(SymInt::symbol("s0") * 2)), "2*s0");
  EXPECT_EQ(print(Argument(std::vector<SymInt>{1, SymInt::symbol("s0")})), "[1, s0]");
  EXPECT_EQ(print(Argument(1.0)), "1.0");
  EXPECT_EQ(print(Argument(1e-05)), "1e-05");
  EXPECT_EQ(print(Argument(-std::numeric_limits<double>::infinity())), "-inf");
  EXPECT_EQ(print(Argument(true)), "True");
  EXPECT_EQ(print(Argument(std::vector<bool>{true, false})), "[True, False]");
  EXPECT_EQ(print(Argument(std::string("a\"b\n"))), "\"a\\\"b\\x0a\"");
  EXPECT_EQ(print(Argument(LongText{own_bytes(std::string(100, 'a'))})),
            '"' + std::string(64, 'a') + "\"... (100 bytes)");
  EXPECT_EQ(print(Argument(DType::kBFloat16)), "bfloat16");
  EXPECT_EQ(print(Argument(MemoryFormat{MemoryFormat::kChannelsLast})), "channels_last");
  EXPECT_EQ(print(Argument(Layout())), "strided");
  EXPECT_EQ(print(Argument(Device{"cuda", 1})), "cuda:1");
  EXPECT_EQ(print(Argument(ComplexNumber{1, -2})), "(1.0, -2.0j)");
  EXPECT_EQ(print(Argument(std::vector<std::vector<SymInt>>{{1}, {2, 3}})), "[[1], [2, 3]]");
  EXPECT_EQ(print(Argument(std::vector<std::vector<double>>{{1}, {}})), "[[1.0], []]");
  EXPECT_EQ(print(Argument(std::vector<std::vector<Value*>>{{nullptr}})), "[[None]]");
  EXPECT_EQ(print(Argument(std::vector<BoolItem>{true, false})), "[True, False]");
  EXPECT_EQ(print(Argument(std::vector<FloatItem>{1.0, 0.5})), "[1.0, 0.5]");
  EXPECT_EQ(print(Argument(Dictionary{{{"a", SymInt(1)}, {"b", Dictionary()}}})),
            "{\"a\": 1, \"b\": {}}");
  EXPECT_EQ(print(Argument(std::vector<Value*>{nullptr})), "[None]");
  std::string text = print(Argument(std::vector<SymInt>(100, 7)));
  EXPECT_NE(text.find("... 100 in all]"), std::string::npos);
}

TEST(PrinterTest, Types) {
  EXPECT_EQ(print(TensorType{DType::kFloat32, {SymInt::symbol("s0"), 3}, {}}), "float32[s0, 3]");
  EXPECT_EQ(print(TensorType{DType::kInt64, {2, 3}, {3, 1}}), "int64[2, 3]");
  EXPECT_EQ(print(TensorType{DType::kInt64, {2, 3}, {1, 2}}), "int64[2, 3] strides [1, 2]");
}

TEST(PrinterTest, Programs) {
  Program program;
  program.source = "m.pt2";
  program.ranges["s0"] = {1, 64};
  program.ranges["u0"] = {0, std::nullopt};
  const SymInt s0 = SymInt::symbol("s0");
  Input x;
  x.name = "x";
  x.value = program.graph->add_input("x", TensorType{DType::kFloat32, {s0}, {}});
  program.inputs.push_back(x);
  Input literal;
  literal.kind = InputKind::kLiteral;
  literal.name = "flag";
  literal.literal = true;
  program.inputs.push_back(literal);
  Input weight;
  weight.kind = InputKind::kParameter;
  weight.name = "p_weight";
  weight.target = "layer.weight";
  weight.data = ConstantData{DType::kFloat32, {1}, {1}, 0, own_bytes(std::vector<std::byte>(4))};
  weight.value = program.graph->add_input("p_weight", TensorType{DType::kFloat32, {1}, {}});
  program.inputs.push_back(weight);

  auto branch = std::make_shared<Graph>();
  branch->outputs() = {branch->add_input("x", x.value->type())};
  Node* add = program.graph->add_node("aten.add.Tensor", {x.value, weight.value, SymInt(1)}, {});
  Value* sum = program.graph->add_output(add, x.value->type());
  Node* cond = program.graph->add_node("higher_order.cond",
                                       {sum, branch, branch, std::vector<Value*>{x.value}}, {});
  Value* result = program.graph->add_output(cond, x.value->type());
  program.graph->outputs() = {sum, result, None()};
  program.outputs = {{OutputKind::kUserInputMutation, "x"}, {}, {}};

  EXPECT_EQ(print(program),
            "program m.pt2\n"
            "  symbol s0 in [1, 64]\n"
            "  symbol u0 in [0, inf]\n"
            "  input %x: float32[s0]\n"
            "  literal flag = True\n"
            "  parameter %p_weight: float32[1]  # layer.weight\n"
            "  %add: float32[s0] = aten.add.Tensor(%x, %p_weight, 1)\n"
            "  %cond: float32[s0] = higher_order.cond(%add, graph, graph, [%x])\n"
            "    graph(%x: float32[s0]):\n"
            "      return %x\n"
            "    graph(%x: float32[s0]):\n"
            "      return %x\n"
            "  input x <- %add\n"
            "  output %cond\n"
            "  output None\n");
}

}  // namespace
}  // namespace slipway::ir
