#include "compile/constant_evaluator.h"

#include <cstring>

#include <gtest/gtest.h>

#include "ir/op_builder.h"

namespace slipway {
namespace {

ir::ConstantData floats(std::vector<float> values) {
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  ir::ConstantData data;
  data.sizes = {static_cast<int64_t>(values.size())};
  data.strides = {1};
  data.storage = own_bytes(std::move(bytes));
  return data;
}

TEST(ConstantEvaluatorTest, GivesWhatARunGives) {
  ir::Program program;
  ir::Value* c = program.add_constant("c", floats({1, 2, 3, 4}));
  ir::OpBuilder b(*program.graph, nullptr, nullptr);
  for (ir::Value* output : {b.view(b.mul(c, ir::SymInt(3)), {2, 2}), b.sum(c, {0})}) {
    program.graph->outputs().emplace_back(output);
    program.outputs.emplace_back();
  }
  program.input_tree.kind = program.output_tree.kind = Tree::Kind::kTuple;
  program.output_tree.children.resize(2);
  auto results = evaluate_constants(program);
  ASSERT_TRUE(results.ok()) << results.error().message();
  ASSERT_EQ(results->size(), 2u);
  const ir::ConstantData& product = (*results)[0];
  EXPECT_EQ(product.sizes, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(product.strides, (std::vector<int64_t>{2, 1}));
  float values[4];
  std::memcpy(values, product.bytes().data(), sizeof(values));
  EXPECT_EQ(values[3], 12);
  const ir::ConstantData& sum = (*results)[1];
  EXPECT_TRUE(sum.sizes.empty());
  std::memcpy(values, sum.bytes().data(), sizeof(float));
  EXPECT_EQ(values[0], 10);
}

TEST(ConstantEvaluatorTest, ReportsWhatCannotBeComputed) {
  ir::Program program;
  program.source = "model.pt2";
  program.graph->outputs().emplace_back(ir::SymInt(3));
  program.outputs.emplace_back();
  program.input_tree.kind = Tree::Kind::kTuple;
  EXPECT_FALSE(evaluate_constants(program).ok());
}

}  // namespace
}  // namespace slipway
