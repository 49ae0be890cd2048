#include "tensorrt/builder/refusals.h"

#include <gtest/gtest.h>

namespace slipway::tensorrt {
namespace {

// relu -> sort (TopK, then Mul) -> add, as ATen has it.
onnx::Graph graph_of_four() {
  onnx::Graph graph;
  graph.nodes = {{"Relu", "relu", {"x"}, {"a"}, {}, "aten_relu", "", ""},
                 {"TopK", "sort", {"a"}, {"b"}, {}, "aten_sort", "", ""},
                 {"Mul", "sort.mul", {"b"}, {"c"}, {}, "aten_sort", "", ""},
                 {"Add", "add", {"c"}, {"y"}, {}, "aten_add", "", ""}};
  return graph;
}

TEST(Refusals, NameTheNodesThatAreInNoSubgraph) {
  const onnx::Graph graph = graph_of_four();
  EXPECT_TRUE(refusals_of({{{0, 1, 2, 3}, true}}, {}, graph).empty());
  const auto refusals = refusals_of({{{0}, false}, {{2, 3}, false}},
                                    {{4, "no such sort\ncudaError 35", 1, "sort", "TopK"}}, graph);
  ASSERT_EQ(refusals.size(), 1U);
  EXPECT_EQ(refusals[0].origin, "aten_sort");
  EXPECT_EQ(refusals[0].reason, "TensorRT refuses its ONNX node sort (TopK): no such sort");
}

TEST(Refusals, OfOneAtenNodeAreOne) {
  const auto refusals = refusals_of(std::vector<Subgraph>{{{0}, false}}, {}, graph_of_four());
  ASSERT_EQ(refusals.size(), 2U);
  EXPECT_EQ(refusals[0].origin, "aten_sort");
  EXPECT_EQ(refusals[1].origin, "aten_add");
  EXPECT_EQ(refusals[1].reason,
            "TensorRT refuses its ONNX node add (Add): its parser does not take it");
}

TEST(Refusals, HoldTensorrtsFirstMessage) {
  const auto reason = [](const std::string& description) {
    return refusals_of({{4, description, 3, "", ""}}, graph_of_four()).at(0).reason;
  };
  const std::string start = "TensorRT refuses its ONNX node add (Add): ";
  EXPECT_EQ(reason("Invalid Node - add\nIt needs another type\n[cudaError 35]"),
            start + "It needs another type");
  EXPECT_EQ(reason("false"), start + "its parser does not take it");
  EXPECT_EQ(reason(""), start + "its parser does not take it");
  EXPECT_EQ(reason("Invalid Node - add"), start + "its parser does not take it");
}

TEST(Refusals, FindTheNodeOfAParsersErrorByIndexOrName) {
  const onnx::Graph graph = graph_of_four();
  EXPECT_EQ(refusals_of({{4, "a reason", 0, "", ""}}, graph).at(0).origin, "aten_relu");
  EXPECT_EQ(refusals_of({{4, "a reason", -1, "add", ""}}, graph).at(0).origin, "aten_add");
  EXPECT_TRUE(refusals_of({{4, "a reason", -1, "", ""}}, graph).empty());
  EXPECT_TRUE(refusals_of({{4, "a reason", 99, "", ""}}, graph).empty());
}

TEST(Refusals, FindTheNodeInAMessageOfTheBuild) {
  const onnx::Graph graph = graph_of_four();
  const auto origin = [&](const std::string& message) {
    const auto refusals = refusals_of(message, graph);
    return refusals.empty() ? "" : refusals.at(0).origin;
  };
  EXPECT_EQ(origin("Error Code 4: (ITopKLayer sort: sort: K exceeds the maximum)"), "aten_sort");
  EXPECT_EQ(origin("Cannot compile operation 'add' for Turing"), "aten_add");
  EXPECT_EQ(origin("There is no kernel for relu."), "aten_relu");
  // Not parts of other words, and not parts of other names.
  EXPECT_EQ(origin("In resorting, addition: padded, add_1, my_relu"), "");
  EXPECT_EQ(origin("no kernel for sort.mul here"), "aten_sort");
  EXPECT_EQ(refusals_of("no kernel for sort.mul here", graph).at(0).reason,
            "TensorRT refuses its ONNX node sort.mul (Mul): no kernel for sort.mul here");
  onnx::Graph unnamed;
  unnamed.nodes = {{"Relu", "", {"x"}, {"y"}, {}, "aten_relu", "", ""}};
  EXPECT_TRUE(refusals_of("anything", unnamed).empty());
}

}  // namespace
}  // namespace slipway::tensorrt
