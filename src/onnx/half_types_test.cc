#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/half.h"
#include "ir/op_builder.h"
#include "onnx/graph_maker_test.h"
#include "onnx/lowering.h"

namespace slipway::onnx {
namespace {

using ir::Argument;
using ir::SymInt;
using ir::Value;

// One node on half inputs.
struct Single {
  ir::Program program;

  Value* input(const std::string& name, DType dtype, std::vector<SymInt> sizes = {4}) {
    ir::Input entry;
    entry.kind = ir::InputKind::kUserInput;
    entry.name = name;
    entry.value = program.graph->add_input(name, ir::TensorType{dtype, std::move(sizes), {}});
    program.inputs.push_back(entry);
    return entry.value;
  }
  Graph lower(const std::string& op, std::vector<Argument> args, DType dtype, bool round_halves,
              bool by_casts = false) {
    ir::Node* node = program.graph->add_node(op, std::move(args), {});
    program.graph->outputs().emplace_back(
        program.graph->add_output(node, ir::TensorType{dtype, {4}, {}}));
    program.outputs.push_back({});
    LoweringOptions options;
    options.round_halves = round_halves;
    if (by_casts) options.fused.insert("Cast");
    auto graph = onnx::lower(program, options);
    EXPECT_TRUE(graph.ok()) << (graph.ok() ? "" : graph.error().message());
    return graph.ok() ? std::move(*graph) : Graph{};
  }
};

using Ops = std::vector<std::string>;

// The graph on one number, in float32, but that conversions are left out.
float evaluate(const Graph& graph, float x) {
  std::map<std::string, float> values = {{graph.inputs.at(0).name, x}};
  for (const Initializer& initializer : graph.initializers) {
    float value = 0;
    const auto& bytes = initializer.data.span()->bytes;
    if (bytes.size() == sizeof(value)) std::memcpy(&value, bytes.data(), sizeof(value));
    values[initializer.name] = value;
  }
  for (const Node& node : graph.nodes) {
    const auto in = [&](size_t i) { return values.at(node.inputs.at(i)); };
    float y = in(0);
    if (node.op_type == "Abs") y = std::fabs(y);
    if (node.op_type == "Add") y = y + in(1);
    if (node.op_type == "Sub") y = y - in(1);
    if (node.op_type == "Mul") y = y * in(1);
    if (node.op_type == "Max") y = std::max(in(1), y);
    if (node.op_type == "Clip") y = std::min(std::max(y, in(1)), in(2));
    if (node.op_type == "Equal") y = y == in(1) ? 1 : 0;
    if (node.op_type == "Where") y = y != 0 ? in(1) : in(2);
    values[node.outputs.at(0)] = y;
  }
  return values.at(graph.outputs.at(0).name);
}

void expect_rounded(const Graph& graph, DType half, float x) {
  const float found = evaluate(graph, x);
  const float expected =
      half == DType::kFloat16 ? from_float16(to_float16(x)) : from_bfloat16(to_bfloat16(x));
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(found)) << x;
  } else {
    EXPECT_EQ(std::bit_cast<uint32_t>(found), std::bit_cast<uint32_t>(expected)) << x;
  }
}

TEST(RoundHalves, RoundsByConversionsWhereTheEngineKeepsThem) {
  for (const DType half : {DType::kFloat16, DType::kBFloat16}) {
    Single single;
    Value* x = single.input("x", half);
    const Graph graph = single.lower("aten.exp.default", {x}, half, true, true);
    EXPECT_EQ(op_types(graph), (Ops{"Cast", "Exp", "Cast", "Cast", "Cast"}));
  }
}

// All numbers of the type, the middles between neighbours, and what is next to these.
TEST(RoundHalves, RoundsAsTheTypeDoes) {
  for (const DType half : {DType::kFloat16, DType::kBFloat16}) {
    Single single;
    Value* x = single.input("x", DType::kFloat32);
    const Graph graph = single.lower("aten.to.dtype", {x, half}, half, true);
    const bool is_float16 = half == DType::kFloat16;
    // bfloat16 is rounded to a coarser unit where float32 has no smaller numbers to compute with.
    const uint16_t first = is_float16 ? 0 : to_bfloat16(1.6e-33F);
    const uint16_t infinity = is_float16 ? 0x7c00 : 0x7f80;
    for (uint32_t bits = first; bits < infinity; ++bits) {
      const auto half_bits = static_cast<uint16_t>(bits);
      const float value = is_float16 ? from_float16(half_bits) : from_bfloat16(half_bits);
      const auto next_bits = static_cast<uint16_t>(bits + 1);
      // Up to what rounds to the largest number or to infinity.
      const float next = bits + 1 == infinity ? (is_float16 ? 65536.0F : 0x1p127F)
                         : is_float16         ? from_float16(next_bits)
                                              : from_bfloat16(next_bits);
      const float middle = bits + 1 == infinity && !is_float16 ? 0x1.ffp127F : (value + next) / 2;
      for (const float near : {value, middle, std::nextafter(middle, 0.0F),
                               std::nextafter(middle, std::numeric_limits<float>::infinity())}) {
        expect_rounded(graph, half, near);
        expect_rounded(graph, half, -near);
      }
    }
    const float infinite = std::numeric_limits<float>::infinity();
    for (const float special : {0.0F, -0.0F, infinite, -infinite, std::nanf(""), 1e30F, -1e30F,
                                std::numeric_limits<float>::max()}) {
      expect_rounded(graph, half, special);
    }
  }
}

TEST(RoundHalves, LeavesOutWhatChangesNothing) {
  const auto ops = [](const std::string& op, std::vector<Argument> more = {}) {
    Single single;
    std::vector<Argument> args = {single.input("x", DType::kFloat16)};
    for (Argument& argument : more) args.push_back(std::move(argument));
    return op_types(single.lower(op, std::move(args), DType::kFloat16, true));
  };
  EXPECT_EQ(ops("aten.relu.default"), (Ops{"Cast", "Relu", "Cast"}));
  EXPECT_EQ(ops("aten.neg.default"), (Ops{"Cast", "Neg", "Cast"}));
  // The bounds are rounded beforehand.
  EXPECT_EQ(ops("aten.clamp.default", {-0.1, 0.1}), (Ops{"Cast", "Clip", "Cast"}));
  EXPECT_GT(ops("aten.exp.default").size(), 10U);
}

TEST(RoundHalves, KeepsTheTypesOfInputsAndOutputs) {
  Single single;
  const Graph graph = single.lower("aten.exp.default", {single.input("x", DType::kBFloat16)},
                                   DType::kBFloat16, true);
  EXPECT_EQ(graph.inputs.at(0).dtype, DType::kBFloat16);
  EXPECT_EQ(graph.outputs.at(0).dtype, DType::kBFloat16);
}

// PyTorch multiplies with the number as it is, and adds it rounded.
TEST(Numbers, BesideHalfTypesAreKeptWherePyTorchKeepsThem) {
  const auto graph = [](const std::string& op, double number) {
    Single single;
    return single.lower(op, {single.input("x", DType::kFloat16), number}, DType::kFloat16, false);
  };
  EXPECT_EQ(op_types(graph("aten.mul.Tensor", 1e5)), (Ops{"Cast", "Mul", "Cast"}));
  EXPECT_EQ(op_types(graph("aten.mul.Tensor", -1e9)), (Ops{"Cast", "Mul", "Cast"}));
  EXPECT_EQ(op_types(graph("aten.div.Tensor", 0.3)), (Ops{"Cast", "Div", "Cast"}));
  EXPECT_EQ(op_types(graph("aten.mul.Tensor", 0.5)), Ops{"Mul"});
  EXPECT_EQ(op_types(graph("aten.add.Tensor", 0.1)), Ops{"Add"});

  Single single;
  Value* x = single.input("x", DType::kFloat16);
  Value* number = single.input("n", DType::kFloat32, {});
  EXPECT_EQ(op_types(single.lower("aten.mul.Tensor", {x, number}, DType::kFloat16, false)),
            (Ops{"Cast", "Mul", "Cast"}));
}

TEST(Numbers, EpsilonsThatVanishAreAddedInFloat32) {
  const auto ops = [](double epsilon, DType dtype) {
    Single single;
    Value* x = single.input("x", dtype);
    return op_types(single.lower(
        "aten.layer_norm.default",
        {x, std::vector<SymInt>{4}, ir::None{}, ir::None{}, epsilon, false}, dtype, false));
  };
  EXPECT_EQ(ops(1e-8, DType::kFloat16).front(), "Cast");
  EXPECT_NE(ops(1e-5, DType::kFloat16).front(), "Cast");
  EXPECT_NE(ops(1e-8, DType::kBFloat16).front(), "Cast");
}

}  // namespace
}  // namespace slipway::onnx
