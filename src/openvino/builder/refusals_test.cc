#include "openvino/builder/refusals.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace slipway::openvino {
namespace {

onnx::Node node_of(std::string op_type, std::string output, std::string origin) {
  std::string name = output + "/" + op_type;
  return {
      std::move(op_type), std::move(name), {}, {std::move(output)}, {}, std::move(origin), "", ""};
}

onnx::Graph graph() {
  onnx::Graph graph;
  graph.nodes = {node_of("Slice", "pad_4", "pad"),       node_of("Pad", "pad_4_1", "pad"),
                 node_of("Col2Im", "fold", "fold_of_x"), node_of("Col2Im", "fold_1", "fold_of_y"),
                 node_of("Mul", "neg", "neg"),           node_of("Reshape", "loose", "")};
  return graph;
}

TEST(Refusals, FindsNodesByTheirNames) {
  const auto refusals = find_refusals(
      "OpenVINO 2025 refuses the model: Exception from src/inference/src/cpp/core.cpp:97:\n"
      "Check 'false' failed at src/frontends/onnx/frontend/src/frontend.cpp:221:\n"
      "FrontEnd API failed with GeneralFailure:\n"
      "Errors during ONNX translation:\n"
      "While validating ONNX node '<Node(Pad): pad_4_1/Pad>':\n"
      "Exception from src/frontends/onnx/frontend/src/op/pad.cpp:26:\n"
      "Unsupported padding mode: [wrap]\n\n",
      graph());
  ASSERT_EQ(refusals.size(), 1U);
  EXPECT_EQ(refusals[0].origin, "pad");
  EXPECT_EQ(refusals[0].reason, "OpenVINO: Unsupported padding mode: [wrap]");
}

TEST(Refusals, FindsResultsByTheirNames) {
  const auto refusals = find_refusals(
      "Check 'x' failed at y:18:\n"
      "While validating node 'opset1::Multiply neg () -> ()' with friendly_name 'neg':\n"
      "Arguments do not have the same element type (arg0 element type: i64).",
      graph());
  ASSERT_EQ(refusals.size(), 1U);
  EXPECT_EQ(refusals[0].origin, "neg");
  EXPECT_EQ(refusals[0].reason,
            "OpenVINO: Arguments do not have the same element type (arg0 element type: i64).");
}

TEST(Refusals, FindsEveryNodeOfAnOperator) {
  const auto refusals = find_refusals(
      "FrontEnd API failed with GeneralFailure:\n"
      "OpenVINO does not support the following ONNX operations: Scan, Col2Im\n",
      graph());
  ASSERT_EQ(refusals.size(), 2U);
  EXPECT_EQ(refusals[0].origin, "fold_of_x");
  EXPECT_EQ(refusals[1].origin, "fold_of_y");
  EXPECT_EQ(refusals[0].reason, "OpenVINO has no ONNX operator Col2Im");
}

TEST(Refusals, FindsNothingInOtherMessages) {
  for (const std::string message :
       {"", "object is not initialized", "<Node(", "'", "''", "<Node(Pad): unknown>",
        "with friendly_name 'loose':\nno ATen node is behind this one",
        "does not support the following ONNX operations:", "cut short '<Node(Pad): pad_4_1/Pa"}) {
    EXPECT_TRUE(find_refusals(message, graph()).empty()) << message;
  }
}

}  // namespace
}  // namespace slipway::openvino
