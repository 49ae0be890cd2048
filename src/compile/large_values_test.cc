#include "compile/large_values.h"

#include "passes/program_test.h"

namespace slipway {
namespace {

using ir::SymInt;
using ir::Value;

class LargeValues : public testing::Test, protected passes::TestProgram {
 protected:
  // Whether the node that gives the value stays outside.
  bool is_outside(Value* value) { return find_large_values(program).contains(value->producer()); }
  Value* zeros(std::vector<SymInt> sizes) {
    ir::TensorType result = type(sizes);
    return call("aten.zeros.default", {std::move(sizes)}, std::move(result), "zeros");
  }
};

TEST_F(LargeValues, AreMadeOfNothing) {
  constexpr int64_t kElements = int64_t{16} << 20;  // 64 MiB
  EXPECT_FALSE(is_outside(zeros({kElements})));
  Value* large = zeros({kElements + 1});
  EXPECT_TRUE(is_outside(large));
  EXPECT_TRUE(is_outside(call("aten.relu.default", {large}, large->type(), "relu")));
}

TEST_F(LargeValues, AreTakenByKernels) {
  Value* x = input("x", type({int64_t{1} << 22, 1}));
  Value* large = zeros({int64_t{1} << 30});
  Value* sum = call("aten.sum.default", {large}, type({}), "sum");
  Value* part = call("aten.add.Tensor", {large, x}, type({int64_t{1} << 30}), "part");
  EXPECT_TRUE(is_outside(sum));
  EXPECT_TRUE(is_outside(part));
  EXPECT_FALSE(is_outside(call("aten.add.Tensor", {x, sum}, x->type(), "y")));
  EXPECT_FALSE(is_outside(call("aten.relu.default", {part}, part->type(), "z")));
}

TEST_F(LargeValues, MayGrowEightTimes) {
  ir::ConstantData data;
  data.sizes = {int64_t{32} << 20, 2};  // 256 MiB, which nobody reads
  data.strides = {2, 1};
  Value* weight = constant("weight", std::move(data));
  const SymInt rows = int64_t{32} << 20;
  EXPECT_FALSE(is_outside(
      call("aten.cat.default", {std::vector<Value*>(8, weight)}, type({rows, 16}), "cat")));
  EXPECT_TRUE(is_outside(
      call("aten.repeat.default", {weight, passes::Ints{1, 9}}, type({rows, 18}), "rep")));
}

TEST_F(LargeValues, AreAsLargeAsTheConstantsOfTheProgram) {
  ir::ConstantData data;
  data.sizes = {int64_t{20} << 20};
  data.strides = {1};
  constant("weight", std::move(data));
  EXPECT_FALSE(is_outside(zeros({int64_t{20} << 20})));
  EXPECT_TRUE(is_outside(zeros({(int64_t{20} << 20) + 1})));
}

class ValuesOfInputs : public LargeValues {
 protected:
  bool is_expanded_outside(Value* x, const std::vector<SymInt>& sizes) {
    return is_outside(call("aten.expand.default", {x, sizes}, type(sizes), "expanded"));
  }
};

TEST_F(ValuesOfInputs, AreLargeBesideLittle) {
  Value* x = input("x", type({1}));
  EXPECT_FALSE(is_expanded_outside(x, {int64_t{4} << 20}));
  EXPECT_TRUE(is_expanded_outside(x, {(int64_t{4} << 20) + 1}));
}

TEST_F(ValuesOfInputs, MaySpreadAThousandTimes) {
  const int64_t size = int64_t{100} << 10;
  Value* x = input("x", type({size, 1}));
  EXPECT_FALSE(is_expanded_outside(x, {size, 1024}));
  EXPECT_TRUE(is_expanded_outside(x, {size, 1025}));
}

TEST_F(ValuesOfInputs, SpreadFromTheLargestSizesOfInputs) {
  const int64_t size = int64_t{100} << 20;
  Value* x = input("x", type({SymInt::symbol("s0")}));
  EXPECT_FALSE(is_expanded_outside(x, {size}));  // s0 has no largest value
  program.ranges["s0"] = {1, 1000};
  EXPECT_TRUE(is_expanded_outside(x, {size}));
  program.ranges["s0"] = {1, 1 << 20};
  EXPECT_FALSE(is_expanded_outside(x, {size}));
}

TEST_F(ValuesOfInputs, HaveABound) {
  const SymInt size = int64_t{1} << 30;  // 4 GiB
  Value* x = input("x", type({size}));
  EXPECT_FALSE(is_outside(call("aten.relu.default", {x}, type({size}), "relu")));
  EXPECT_TRUE(is_expanded_outside(x, {size + 1}));
  Value* y = input("y", type({size + 1}));
  EXPECT_TRUE(is_outside(call("aten.sum.default", {y}, type({}), "sum")));
}

TEST_F(ValuesOfInputs, MayHaveMoreBytesThanCanBeCounted) {
  const SymInt size = int64_t{1} << 40;
  EXPECT_TRUE(is_outside(zeros({size, size})));
  EXPECT_TRUE(is_expanded_outside(input("x", type({1})), {size, size}));
}

TEST_F(ValuesOfInputs, OfDynamicSizesAreNotLaidOut) {
  const SymInt size = int64_t{1} << 30;
  EXPECT_FALSE(is_outside(zeros({SymInt::symbol("s0") * size})));
}

}  // namespace
}  // namespace slipway
