#include "cuda/builder/number_table.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace slipway::cuda {
namespace {

using ir::SymInt;
using table::NumberKind;

onnx::Graph graph_of(std::vector<std::vector<SymInt>> inputs) {
  onnx::Graph graph;
  for (auto& sizes : inputs) {
    graph.inputs.push_back({"x" + std::to_string(graph.inputs.size()), DType::kFloat32, sizes});
  }
  return graph;
}

// As a call with inputs of these sizes has it.
int64_t evaluate(const std::vector<table::NumberT>& numbers, uint32_t index,
                 const std::vector<std::vector<int64_t>>& inputs) {
  const table::NumberT& number = numbers.at(index);
  const auto of = [&](uint32_t operand) { return evaluate(numbers, operand, inputs); };
  switch (number.kind) {
    case NumberKind::Constant:
      return number.value;
    case NumberKind::Dimension:
      return inputs.at(number.a).at(number.b);
    case NumberKind::Element:
      return inputs.at(number.a).at(0);
    case NumberKind::Add:
      return of(number.a) + of(number.b);
    case NumberKind::Multiply:
      return of(number.a) * of(number.b);
    case NumberKind::FloorDivide:
      return of(number.a) / of(number.b);
    case NumberKind::Minimum:
      return std::min(of(number.a), of(number.b));
    case NumberKind::Maximum:
      return std::max(of(number.a), of(number.b));
    case NumberKind::Scale:
      return static_cast<int64_t>(static_cast<double>(of(number.a)) * number.factor);
    default:
      ADD_FAILURE() << "an unexpected kind";
      return 0;
  }
}

TEST(NumberTableTest, ExpressionsAreComputedFromDimensions) {
  const SymInt s = SymInt::symbol("s");
  const SymInt t = SymInt::symbol("t");
  NumberTable table(graph_of({{3, s}, {t, s}}));
  const SymInt value = s * s * 2 + SymInt::floordiv(t, 2) - SymInt::min(s, t) + 1;
  const auto index = table.of(value);
  const auto scaled = table.of(SymInt::scale(t, 0.7));
  ASSERT_TRUE(index && scaled);
  EXPECT_EQ(table.of(value), index);  // once
  const auto numbers = table.take();
  EXPECT_EQ(evaluate(numbers, *index, {{3, 5}, {9, 5}}), 50 + 4 - 5 + 1);
  EXPECT_EQ(evaluate(numbers, *scaled, {{3, 5}, {9, 5}}), 6);
}

TEST(NumberTableTest, SolvesADimensionForItsSymbol) {
  const SymInt s = SymInt::symbol("s");
  NumberTable table(graph_of({{s * 4 + 3}}));
  const auto index = table.of(s + 1);
  ASSERT_TRUE(index);
  EXPECT_EQ(evaluate(table.take(), *index, {{31}}), 8);
}

TEST(NumberTableTest, TakesABareDimensionBeforeASolvedOne) {
  const SymInt s = SymInt::symbol("s");
  NumberTable table(graph_of({{s * 2}, {s}}));
  const auto index = table.of(s);
  ASSERT_TRUE(index);
  EXPECT_EQ(table.take().at(*index).kind, NumberKind::Dimension);
}

TEST(NumberTableTest, SymbolsThatNoTensorHasAreElementsOfInputs) {
  onnx::Graph graph = graph_of({{2}});
  graph.inputs.push_back({"u0", DType::kInt64, {1}});
  graph.symbol_inputs = {"u0"};
  NumberTable table(graph);
  const auto index = table.of(SymInt::symbol("u0") * 3);
  ASSERT_TRUE(index);
  EXPECT_EQ(evaluate(table.take(), *index, {{2}, {7}}), 21);
}

TEST(NumberTableTest, AnUnknownSymbolHasNoNumber) {
  NumberTable table(graph_of({{2}}));
  EXPECT_FALSE(table.of(SymInt::symbol("u1") + 1));
}

}  // namespace
}  // namespace slipway::cuda
