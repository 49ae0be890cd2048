// Numbers that are known only when a program runs.
#include "pte/emitter/symbols.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "passes/passes.h"
#include "pte/emitter/emitted_program_test.h"

namespace slipway::pte {
namespace {

using ir::SymInt;
using testing::ElementsAre;
using testing::HasSubstr;

const SymInt s = SymInt::symbol("s");

// A program whose outputs are the expressions, of an input of [s] elements.
class Expressions : public ProgramToEmit {
 public:
  explicit Expressions(const std::vector<SymInt>& expressions, SymInt size = s) {
    program.ranges["s"] = {1, 100};
    input("x", type({size}));
    for (const SymInt& expression : expressions) output(expression);
  }
  std::vector<int64_t> values(int64_t size) {
    const slipway::Method method = load();
    std::vector<int64_t> result;
    for (const Value& value : run(method, {*Tensor::zeros(DType::kFloat32, {size})})) {
      result.push_back(std::get<int64_t>(value));
    }
    return result;
  }
};

TEST(SymbolsTest, ComputesPolynomials) {
  Expressions p({s, s * 2 + 3, s * s - s, s * s * s, -s});
  EXPECT_EQ(p.values(5), (std::vector<int64_t>{5, 13, 20, 125, -5}));
}

TEST(SymbolsTest, ComputesFunctionsAsPythonDoes) {
  Expressions p({SymInt::floordiv(s, 2), SymInt::floordiv(-s, 2), SymInt::mod(s, 3),
                 SymInt::mod(-s, 3), SymInt::min(s, 4), SymInt::max(s, 9),
                 SymInt::mod(s - 7, 4) + 1});
  EXPECT_EQ(p.values(5), (std::vector<int64_t>{2, -3, 2, 1, 4, 9, 3}));
}

TEST(SymbolsTest, SaysWhatHasNoBound) {
  const SymInt a = SymInt::symbol("a");
  const SymInt b = SymInt::symbol("b");
  const auto error = [&](const SymInt& size, const ir::Range& of_a, const ir::Range& of_b) {
    ProgramToEmit p;
    p.program.ranges = {{"a", of_a}, {"b", of_b}};
    p.output(p.input("x", p.type({size})));
    return p.emit_error();
  };
  EXPECT_THAT(
      error(a + b, {0, {}}, {0, {}}),
      HasSubstr(
          "because a and b have none; give one with option 'bounds' a=64 option 'bounds' b=64"));
  EXPECT_THAT(error(a + b, {0, {}}, {0, 9}), HasSubstr("because a has none"));
  EXPECT_THAT(error(b - a, {{}, 9}, {0, 9}), HasSubstr("torch._check(n >= 0)"));
}

// What an engine is given for a symbol that none of its tensors has.
TEST(SymbolsTest, BecomeTensorsOfOneElement) {
  ProgramToEmit p;
  p.program.ranges["s"] = {1, 100};
  p.input("x", p.type({s}));
  p.output(p.build().full({1}, s, DType::kInt64));
  ASSERT_TRUE(passes::decompose(p.program).ok());
  const slipway::Method method = p.load();
  for (int64_t size : {5, 7}) {
    const auto outputs = run(method, {*Tensor::zeros(DType::kFloat32, {size})});
    const auto& tensor = std::get<Tensor>(outputs[0]);
    EXPECT_EQ(tensor.sizes(), (std::vector<int64_t>{1}));
    EXPECT_EQ(tensor.data_as<int64_t>()[0], size);
  }
}

TEST(SymbolsTest, SolvesForTheSymbolOfASize) {
  Expressions p({s, s + 1}, s * 3 + 2);
  EXPECT_EQ(p.values(14), (std::vector<int64_t>{4, 5}));
}

TEST(SymbolsTest, ScalesByADoubleAndRoundsToZero) {
  Expressions p({SymInt::scale(s, 0.57), SymInt::scale(s, 0.57) * -2, SymInt::scale(s + 1, -0.7)},
                s);
  EXPECT_EQ(p.values(100), (std::vector<int64_t>{56, -112, -70}));
  EXPECT_EQ(p.values(99), (std::vector<int64_t>{56, -112, -70}));
}

TEST(SymbolsTest, TheSmallestCallFitsTheBounds) {
  Expressions p({s}, s * 2);
  p.program.ranges["s"] = {3, 100};
  EXPECT_EQ(p.load().example_sizes().at(0), (Sizes{6}));
}

TEST(SymbolsTest, ACallMayHaveGivenSizes) {
  Expressions p({s}, s * 2);
  p.program.ranges["s"] = {3, 100};
  const auto method = p.load();
  const std::string input = method.inputs().at(0).name;
  EXPECT_EQ(method.example_sizes({{input + ".0", 14}})->at(0), (Sizes{14}));
  const auto message = [&](const std::string& name, int64_t size) {
    const auto sizes = method.example_sizes({{name, size}});
    return sizes.ok() ? "" : sizes.error().message();
  };
  EXPECT_THAT(message(input + ".0", 201), HasSubstr("is between 6 and 200, and can't be 201"));
  EXPECT_THAT(message(input + ".0", 15), HasSubstr("can't be 15 beside the other sizes"));
  EXPECT_THAT(message("t", 15), HasSubstr("no size is called t; there are " + input + ".0"));
}

TEST(SymbolsTest, ComputesEachExpressionOnce) {
  Expressions p({s * 2, s * 2 + 1, s * 2, s});
  EXPECT_THAT(p.instructions(), ElementsAre("aten::sym_size", "executorch_prim::mul",
                                            "executorch_prim::mul", "executorch_prim::add"));
}

TEST(SymbolsTest, ASizeThatNoKernelAsksForNeedsNoInstruction) {
  ProgramToEmit p;
  p.program.ranges["s"] = {1, 100};
  ir::Value* x = p.input("x", p.type({s, 2}));
  auto b = p.build();
  p.output(b.relu(x));
  EXPECT_THAT(p.instructions(), ElementsAre("aten::relu"));
}

TEST(SymbolsTest, SizesOfDynamicViews) {
  ProgramToEmit p;
  p.program.ranges["s"] = {1, 10};
  p.program.ranges["t"] = {1, 10};
  const SymInt t = SymInt::symbol("t");
  ir::Value* x = p.input("x", p.type({s, t * 2}));
  auto b = p.build();
  ir::Value* y = b.view(b.relu(x), {s * t, 2});
  p.output(b.neg(b.view(y, {t, s, 2})));
  p.output(b.view(y, {t * 2, s}));
  const slipway::Method method = p.load();
  for (int64_t rows : {1, 3}) {
    Floats values(static_cast<size_t>(rows * 4), 2);
    auto outputs = run(method, {floats({rows, 4}, values)});
    EXPECT_EQ(sizes_of(outputs[0]), (Sizes{2, rows, 2}));
    EXPECT_EQ(to_floats(outputs[0]), Floats(values.size(), -2));
    EXPECT_EQ(sizes_of(outputs[1]), (Sizes{4, rows}));
    EXPECT_EQ(to_floats(outputs[1]), values);
  }
}

TEST(SymbolsTest, SizesThatAreData) {
  ProgramToEmit p;
  const SymInt u = SymInt::symbol("u0");
  ir::Value* x = p.input("x", p.type({4}));
  ir::Node* nonzero = p.node("aten.nonzero.default", {x}, {p.type({u, 1}, DType::kInt64)}, "n");
  auto b = p.build();
  // u0 has no range: nonzero can't give more rows than there are elements.
  p.output(b.full({u + 1}, 1.5, DType::kFloat32));
  p.output(nonzero->output());
  const slipway::Method method = p.load();
  auto outputs = run(method, {floats({4}, {0, 3, 0, 4})});
  EXPECT_EQ(to_floats(outputs[0]), Floats(3, 1.5));
  EXPECT_EQ(sizes_of(outputs[1]), (Sizes{2, 1}));
}

TEST(SymbolsTest, ItemsBecomeNumbers) {
  ProgramToEmit p;
  const SymInt u = SymInt::symbol("u0");
  p.program.ranges["u0"] = {0, 10};
  ir::Value* x = p.input("x", p.type({}, DType::kInt64));
  ir::Value* y = p.input("y", p.type({}));
  auto b = p.build();
  ir::Node* count = b.node("aten._local_scalar_dense.default", {x});
  p.graph().add_output(count, ir::ValueKind::kSymInt, u);
  ir::Node* scale = b.node("aten._local_scalar_dense.default", {y});
  ir::Value* real = p.graph().add_output(scale, ir::ValueKind::kSymFloat, 0);
  ir::Node* half = b.node("_operator.truediv", {real, SymInt(2)});
  ir::Value* halved = p.graph().add_output(half, ir::ValueKind::kSymFloat, 0);
  ir::Node* compare = b.node("_operator.ne", {u, SymInt(3)});
  ir::Value* differs = p.graph().add_output(compare, ir::ValueKind::kSymBool, 0);
  p.output(b.full({u}, 2.0, DType::kFloat32));
  p.output(u * 2);
  p.output(halved);
  p.output(differs);
  const slipway::Method method = p.load();
  auto outputs = run(method, {integers({}, {3}), floats({}, {5})});
  EXPECT_EQ(sizes_of(outputs[0]), (Sizes{3}));
  EXPECT_EQ(std::get<int64_t>(outputs[1]), 6);
  EXPECT_EQ(std::get<double>(outputs[2]), 2.5);
  EXPECT_EQ(std::get<bool>(outputs[3]), false);
}

TEST(SymbolsTest, AnIntegerInput) {
  ProgramToEmit p;
  p.program.ranges["n"] = {2, 10};
  ir::Input entry;
  entry.value = p.graph().add_input("n", ir::ValueKind::kSymInt, SymInt::symbol("n"));
  entry.name = "n";
  p.program.inputs.push_back(std::move(entry));
  auto b = p.build();
  p.output(b.full({SymInt::symbol("n")}, 1.0, DType::kFloat32));
  const slipway::Method method = p.load();
  for (int64_t n : {2, 7}) EXPECT_EQ(sizes_of(run(method, {n})[0]), (Sizes{n}));
  EXPECT_FALSE(method.run({Value(int64_t{11})}).ok());
}

TEST(SymbolsTest, ASymbolThatNothingDefines) {
  ProgramToEmit p;
  p.program.ranges["lost"] = {1, 2};
  p.output(SymInt::symbol("lost") + 1);
  EXPECT_THAT(p.emit_error(), HasSubstr("lost"));
}

}  // namespace
}  // namespace slipway::pte
