#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::SymInt;
using ir::Value;

class GuardEmptyProductsTest : public testing::Test, protected TestProgram {
 protected:
  Ops guard(const SymInt& inner) {
    Value* x = input("x", type({2, inner}));
    Value* y = input("y", type({inner, 3}));
    output(call("aten.mm.default", {x, y}, type({2, 3}), "product"));
    const Status status = apply(guard_empty_products);
    EXPECT_TRUE(status.ok()) << status.error().message();
    return ops();
  }
};

TEST_F(GuardEmptyProductsTest, LeavesAloneWhatHasElements) {
  program.ranges["s0"] = {1, 16};
  EXPECT_EQ(guard(SymInt::symbol("s0")), Ops{"aten.mm.default"});
}

TEST_F(GuardEmptyProductsTest, ChoosesZeroWhereTheSizeIs) {
  program.ranges["s0"] = {0, 16};
  EXPECT_EQ(guard(SymInt::symbol("s0")),
            (Ops{"aten.scalar_tensor.default", "aten.mm.default", "aten.scalar_tensor.default",
                 "aten.gt.Scalar", "aten.where.self"}));
  EXPECT_EQ(result(0)->producer()->op(), "aten.where.self");
}

TEST_F(GuardEmptyProductsTest, IsZerosWhereNothingIsEverMultiplied) {
  EXPECT_EQ(guard(0), (Ops{"aten.scalar_tensor.default", "aten.expand_copy.default"}));
}

TEST_F(GuardEmptyProductsTest, LeavesTheBiasOfALayer) {
  Value* bias = input("bias", type({3}));
  output(call("aten.linear.default", {input("x", type({2, 0})), input("w", type({3, 0})), bias},
              type({2, 3}), "layer"));
  ASSERT_TRUE(apply(guard_empty_products).ok());
  EXPECT_EQ(ops(), Ops{"aten.expand_copy.default"});
  EXPECT_EQ(at(0)->value(0), bias);
}

}  // namespace
}  // namespace slipway::passes
