#include "openvino/builder/workarounds.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace slipway::openvino {
namespace {

using Types = std::vector<std::string>;

onnx::Node node(std::string op_type, std::vector<std::string> inputs, std::string output) {
  std::string name = output + "/" + op_type;
  return {std::move(op_type), std::move(name), std::move(inputs), {std::move(output)}, {},
          "origin",           "aten.op",       "line 1"};
}

onnx::Initializer int64s(std::string name, std::vector<int64_t> sizes) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  const auto nbytes = static_cast<uint64_t>(count) * sizeof(int64_t);
  return {std::move(name), DType::kInt64, std::move(sizes),
          own_bytes(std::vector<std::byte>(nbytes))};
}

Types op_types(const onnx::Graph& graph) {
  Types types;
  for (const onnx::Node& made : graph.nodes) types.push_back(made.op_type);
  return types;
}

// All names of results differ, and every input is known.
void expect_sound(const onnx::Graph& graph) {
  std::set<std::string> known = {""};
  for (const onnx::ValueType& input : graph.inputs) known.insert(input.name);
  for (const onnx::Initializer& item : graph.initializers) {
    EXPECT_TRUE(known.insert(item.name).second) << item.name;
  }
  for (const onnx::Node& made : graph.nodes) {
    for (const std::string& input : made.inputs) EXPECT_TRUE(known.contains(input)) << input;
    for (const std::string& output : made.outputs) EXPECT_TRUE(known.insert(output).second);
    EXPECT_EQ(made.origin, "origin");
    EXPECT_EQ(made.target, "aten.op");
  }
  for (const onnx::ValueType& output : graph.outputs) EXPECT_TRUE(known.contains(output.name));
}

onnx::Graph two_abs() {
  onnx::Graph graph;
  graph.inputs = {{"x", DType::kFloat32, {4}}, {"m", DType::kFloat32, {2, 2}}};
  graph.outputs = {{"y", DType::kFloat32, {4}}, {"n", DType::kFloat32, {2, 2}}};
  graph.nodes = {node("Abs", {"x"}, "y"), node("Abs", {"m"}, "n")};
  return graph;
}

TEST(Workarounds, GiveAbsOfOneDimensionAnother) {
  const onnx::Graph graph = apply_to_graph(two_abs(), {});
  EXPECT_EQ(op_types(graph), (Types{"Unsqueeze", "Abs", "Squeeze", "Abs"}));
  expect_sound(graph);
  EXPECT_EQ(op_types(apply_to_graph(two_abs(), {"abs-sinking"})), (Types{"Abs", "Abs"}));
}

TEST(Workarounds, ReachIntoBranchesWithoutChangingThoseGiven) {
  onnx::Graph graph;
  graph.inputs = {{"p", DType::kBool, {}}, {"x", DType::kFloat32, {4}}};
  graph.outputs = {{"z", DType::kFloat32, {4}}};
  const auto branch = std::make_shared<onnx::Graph>();
  branch->outputs = {{"y", DType::kFloat32, {4}}};
  branch->nodes = {node("Abs", {"x"}, "y")};
  graph.nodes = {node("If", {"p"}, "z")};
  graph.nodes[0].attributes = {{"then_branch", branch}};
  const onnx::Graph made = apply_to_graph(graph, {});
  const auto& inner = *std::get<std::shared_ptr<onnx::Graph>>(made.nodes[0].attributes[0].second);
  EXPECT_EQ(op_types(inner), (Types{"Unsqueeze", "Abs", "Squeeze"}));
  EXPECT_EQ(op_types(*branch), Types{"Abs"});
  // Branches see the constants of the whole.
  EXPECT_FALSE(made.initializers.empty());
  EXPECT_TRUE(inner.initializers.empty());
}

TEST(Workarounds, GiveGatheredDataAnotherDimension) {
  for (const int64_t axis : {1, -1}) {
    onnx::Graph graph;
    graph.inputs = {{"x", DType::kFloat32, {4, 3}}, {"i", DType::kInt64, {4, 1}}};
    graph.outputs = {{"y", DType::kFloat32, {4, 1}}};
    graph.nodes = {node("GatherElements", {"x", "i"}, "y")};
    graph.nodes[0].attributes = {{"axis", axis}};
    const onnx::Graph made = apply_to_graph(graph, {});
    EXPECT_EQ(op_types(made), (Types{"Unsqueeze", "Unsqueeze", "GatherElements", "Squeeze"}));
    EXPECT_EQ(std::get<int64_t>(made.nodes[2].attributes[0].second), axis < 0 ? -1 : 2);
    expect_sound(made);
  }
}

TEST(Workarounds, KeepTheBiasOfOneColumnApart) {
  for (const int64_t columns : {1, 3}) {
    onnx::Graph graph;
    graph.inputs = {{"x", DType::kFloat32, {4, 3}}};
    graph.outputs = {{"y", DType::kFloat32, {4, columns}}};
    graph.initializers = {int64s("w", {3, columns}), int64s("b", {columns})};
    graph.nodes = {node("Gemm", {"x", "w", "b"}, "y")};
    const onnx::Graph made = apply_to_graph(graph, {});
    EXPECT_EQ(op_types(made), columns == 1 ? (Types{"Gemm", "LeakyRelu"}) : Types{"Gemm"});
    expect_sound(made);
    // Known by the weight alone.
    graph.outputs.clear();
    EXPECT_EQ(apply_to_graph(graph, {}).nodes.size(), columns == 1 ? 2U : 1U);
  }
}

TEST(Workarounds, AddAPictureWhereADerivedNumberOfThemMayBeNone) {
  const ir::SymInt s = ir::SymInt::symbol("s");
  for (const auto& [pictures, is_guarded] :
       {std::pair(s - 2, true), {s - 1, false}, {ir::SymInt::floordiv(s, 4), true}}) {
    onnx::Graph graph;
    graph.ranges = {{"s", {2, 64}}};
    graph.inputs = {{"x", DType::kFloat32, {pictures, 3, 8, 8}}, {"z", DType::kFloat32, {4}}};
    graph.outputs = {{"y", DType::kFloat32, {pictures, 3, 4, 4}}, {"n", DType::kFloat32, {4}}};
    graph.nodes = {node("MaxPool", {"x"}, "y"), node("Relu", {"z"}, "n")};
    const onnx::Graph made = apply_to_graph(graph, {});
    EXPECT_EQ(op_types(made), is_guarded
                                  ? (Types{"Shape", "Gather", "Pad", "MaxPool", "Slice", "Relu"})
                                  : (Types{"MaxPool", "Relu"}))
        << pictures.to_string();
    expect_sound(made);
  }
}

TEST(Workarounds, FindTheOneColumnOfAWeightThatIsTransposed) {
  for (const int64_t columns : {1, 3}) {
    onnx::Graph graph;
    graph.inputs = {{"x", DType::kFloat32, {2, 4, 5}}};
    graph.outputs = {{"z", DType::kFloat32, {2, 4, columns}}};
    graph.initializers = {int64s("w", {columns, 5}), int64s("b", {columns})};
    graph.nodes = {node("Transpose", {"w"}, "t"), node("MatMul", {"x", "t"}, "y"),
                   node("Add", {"y", "b"}, "z")};
    graph.nodes[0].attributes = {{"perm", std::vector<int64_t>{1, 0}}};
    const onnx::Graph made = apply_to_graph(graph, {});
    EXPECT_EQ(op_types(made), columns == 1 ? (Types{"Transpose", "MatMul", "LeakyRelu", "Add"})
                                           : (Types{"Transpose", "MatMul", "Add"}));
    expect_sound(made);
  }
}

TEST(Workarounds, KeepTheBiasOfAnEinsumOfOneColumnApart) {
  for (const int64_t columns : {1, 3}) {
    onnx::Graph graph;
    graph.inputs = {{"x", DType::kFloat32, {2, 4, 5}}};
    graph.outputs = {{"y", DType::kFloat32, {2, columns, 4}}};
    graph.initializers = {int64s("w", {columns, 5})};
    graph.nodes = {node("Einsum", {"x", "w"}, "y")};
    const onnx::Graph made = apply_to_graph(graph, {});
    EXPECT_EQ(op_types(made), columns == 1 ? (Types{"Einsum", "LeakyRelu"}) : Types{"Einsum"});
    expect_sound(made);
  }
}

TEST(Workarounds, AskTheLoweringForOtherWays) {
  onnx::LoweringOptions options;
  apply_to_lowering(options, {"mean-of-nothing"});
  EXPECT_TRUE(options.slice_before_expand);
  EXPECT_FALSE(options.means_as_quotients);
  apply_to_lowering(options, {});
  EXPECT_TRUE(options.means_as_quotients);
}

TEST(Workarounds, KeepAttentionApartForOpenvino2025) {
  onnx::Graph graph;
  graph.inputs = {{"x", DType::kFloat32, {4, 3}}};
  graph.outputs = {{"y", DType::kFloat32, {4, 3}}};
  graph.nodes = {node("Softmax", {"x"}, "y")};
  graph.nodes[0].attributes = {{"axis", int64_t{0}}};
  const onnx::Graph made = for_openvino_2025(graph);
  EXPECT_EQ(op_types(made), (Types{"LeakyRelu", "Softmax"}));
  EXPECT_EQ(made.nodes[1].attributes.size(), 1U);
  expect_sound(made);
}

TEST(Workarounds, AreDocumented) {
  std::ifstream file(std::string(SLIPWAY_TEST_DATA) + "/../../docs/openvino.md");
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  if (page.find("\n\n" + document_workarounds()) != std::string::npos) return;
  const std::string fresh = testing::TempDir() + "workarounds.md";
  std::ofstream(fresh) << document_workarounds();
  ADD_FAILURE() << "docs/openvino.md lacks the table: put " << fresh << " there";
}

}  // namespace
}  // namespace slipway::openvino
