#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::SymInt;
using ir::Value;

class ShrinkProductsTest : public testing::Test, protected TestProgram {
 protected:
  // The operators and their tensor arguments' ranks of what the result is made of.
  const ir::Node& product() {
    EXPECT_TRUE(apply(shrink_products).ok());
    EXPECT_TRUE(ir::verify(program).ok());
    return *result(0)->producer();
  }
  Value* expand(Value* x, std::vector<SymInt> sizes) {
    return call("aten.expand.default", {x, sizes}, type(sizes), "expanded");
  }
  void multiply(Value* a, Value* b) {
    output(call("aten.bmm.default", {a, b}, type({a->sizes()[0], a->sizes()[1], b->sizes()[2]}),
                "product"));
  }
};

TEST_F(ShrinkProductsTest, TakesTheMatrixThatIsRepeated) {
  Value* x = input("x", type({SymInt::symbol("s0"), 5, 3}));
  Value* w = buffer("w", count({3, 4}, {4, 1}));
  multiply(x, expand(w, {SymInt::symbol("s0"), 3, 4}));
  const ir::Node& node = product();
  EXPECT_EQ(node.op(), "aten.matmul.default");
  EXPECT_EQ(node.value(0), x);
  EXPECT_EQ(node.value(1), w);
  EXPECT_EQ(node.output()->sizes(), (std::vector<SymInt>{SymInt::symbol("s0"), 5, 4}));
}

TEST_F(ShrinkProductsTest, LooksThroughViewsOfTheBatch) {
  Value* w = buffer("w", count({1, 5, 3}, {15, 3, 1}));
  Value* x = input("x", type({6, 3, 4}));
  Value* wide = expand(w, {2, 3, 5, 3});
  multiply(call("aten.view.default", {wide, std::vector<SymInt>{6, 5, 3}}, type({6, 5, 3}), "view"),
           x);
  const ir::Node& node = product();
  EXPECT_EQ(node.op(), "aten.matmul.default");
  EXPECT_EQ(node.value(0)->sizes(), (std::vector<SymInt>{5, 3}));
  EXPECT_EQ(node.value(1), x);
}

TEST_F(ShrinkProductsTest, TakesTheMatrixOfAnyProduct) {
  Value* x = input("x", type({2, 3, 5, 4}));
  Value* w = buffer("w", count({4, 3}, {3, 1}));
  output(call("aten.matmul.default", {x, expand(w, {2, 3, 4, 3})}, type({2, 3, 5, 3}), "product"));
  EXPECT_EQ(product().value(1), w);
}

TEST_F(ShrinkProductsTest, LeavesAMatrixThatRepeatsTheOther) {
  Value* x = input("x", type({5, 4}));
  Value* w = buffer("w", count({4, 3}, {3, 1}));
  output(call("aten.matmul.default", {x, expand(w, {6, 4, 3})}, type({6, 5, 3}), "product"));
  EXPECT_EQ(product().value(1)->sizes(), (std::vector<SymInt>{6, 4, 3}));
}

TEST_F(ShrinkProductsTest, LeavesOthers) {
  Value* x = input("x", type({6, 5, 3}));
  // The batch is repeated in part only, ...
  Value* w = input("w", type({2, 1, 3, 4}));
  Value* wide = expand(w, {2, 3, 3, 4});
  multiply(
      x, call("aten.view.default", {wide, std::vector<SymInt>{6, 3, 4}}, type({6, 3, 4}), "view"));
  EXPECT_EQ(product().op(), "aten.bmm.default");
}

TEST_F(ShrinkProductsTest, LeavesMatricesThatAreRepeatedThemselves) {
  Value* x = input("x", type({6, 5, 3}));
  Value* row = input("row", type({1, 4}));
  multiply(x, expand(row, {6, 3, 4}));
  EXPECT_EQ(product().op(), "aten.bmm.default");
}

TEST_F(ShrinkProductsTest, TakesWhatAChoiceRepeatsItself) {
  Value* x = input("x", type({SymInt::symbol("s0"), 5, 3}));
  Value* chosen = input("chosen", type({SymInt::symbol("s0"), 5, 1}, DType::kBool));
  Value* token = buffer("token", count({1, 1, 3}, {3, 3, 1}));
  Value* row = buffer("row", count({3}, {1}));
  Value* wide = expand(token, {SymInt::symbol("s0"), 5, 3});
  output(call("aten.where.self", {chosen, wide, x}, x->type(), "choice"));
  // Nothing else has the last size but one.
  Value* all = input("all", type({SymInt::symbol("s0"), 1, 1}, DType::kBool));
  output(call("aten.where.self",
              {all, expand(row, {SymInt::symbol("s0"), 5, 3}), expand(row, {5, 3})}, x->type(),
              "rows"));
  EXPECT_TRUE(apply(shrink_products).ok());
  EXPECT_TRUE(ir::verify(program).ok());
  const ir::Node& choice = *result(0)->producer();
  EXPECT_EQ(choice.value(0), chosen);
  EXPECT_EQ(choice.value(1), token);
  EXPECT_EQ(choice.value(2), x);
  const ir::Node& rows = *result(1)->producer();
  EXPECT_EQ(rows.value(1), row);
  EXPECT_EQ(rows.value(2)->sizes(), (std::vector<SymInt>{5, 3}));
}

// Without the expanded one nothing has the result's first dimension, although its size is 1.
TEST_F(ShrinkProductsTest, LeavesChoicesTheirRank) {
  Value* chosen = input("chosen", type({3}, DType::kBool));
  Value* x = input("x", type({3}));
  Value* wide = expand(buffer("row", count({3}, {1})), {1, 3});
  output(call("aten.where.self", {chosen, wide, x}, type({1, 3}), "choice"));
  EXPECT_EQ(product().value(1), wide);
}

}  // namespace
}  // namespace slipway::passes
