#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::SymInt;
using ir::Value;

class DeduplicateTest : public testing::Test, protected TestProgram {
 protected:
  Value* x_ = input("x", type({2, 3}));

  Value* add(Value* a, ir::Argument b, const std::string& name) {
    const bool scalar = !std::holds_alternative<Value*>(b);
    return call(scalar ? "aten.add.Scalar" : "aten.add.Tensor", {a, std::move(b)}, x_->type(),
                name);
  }
};

TEST_F(DeduplicateTest, EqualChainsBecomeOne) {
  Value* a = add(add(x_, 1.5, "a"), x_, "a2");
  Value* b = add(add(x_, 1.5, "b"), x_, "b2");
  output(a);
  output(b);
  ASSERT_TRUE(apply(deduplicate).ok());
  EXPECT_EQ(ops(), (Ops{"aten.add.Scalar", "aten.add.Tensor"}));
  EXPECT_EQ(result(0), result(1));
}

TEST_F(DeduplicateTest, OtherArgumentsStayApart) {
  output(add(x_, 0.0, "a"));
  output(add(x_, -0.0, "b"));
  output(add(x_, SymInt(0), "c"));
  ASSERT_TRUE(apply(deduplicate).ok());
  EXPECT_EQ(graph().nodes().size(), 3U);
}

TEST_F(DeduplicateTest, NodesThatDefineTheirOwnSymbolsStayApart) {
  for (const char* symbol : {"u0", "u1"}) {
    ir::Node* item = node("aten.item.default", {x_}, {}, "");
    graph().add_output(item, ir::ValueKind::kSymInt, SymInt::symbol(symbol));
    output(SymInt::symbol(symbol));
  }
  ASSERT_TRUE(apply(deduplicate).ok());
  EXPECT_EQ(graph().nodes().size(), 2U);
}

TEST_F(DeduplicateTest, EqualConstantsBecomeOne) {
  Value* a = constant("a", count({2, 3}, {3, 1}));
  Value* b = constant("b", count({2, 3}, {3, 1}));
  Value* same_storage = constant("same", *program.inputs.back().data);
  Value* other = constant("other", count({2, 3}, {3, 1}, 1));
  for (Value* value : {a, b, same_storage, other}) output(add(x_, value, "sum"));
  ASSERT_TRUE(apply(deduplicate).ok());
  EXPECT_EQ(program.inputs.size(), 3U);
  EXPECT_EQ(graph().nodes().size(), 2U);
  EXPECT_EQ(result(0), result(1));
  EXPECT_EQ(result(0), result(2));
  EXPECT_NE(result(0), result(3));
}

TEST_F(DeduplicateTest, ContentCountsAndNotItsLayout) {
  ir::ConstantData laid_out = count({2, 2}, {1, 2});
  const std::vector<float> values = {0, 2, 1, 3};
  ir::ConstantData plain = count({2, 2}, {2, 1});
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  plain.storage = own_bytes(std::move(bytes));
  output(constant("a", laid_out));
  output(constant("b", plain));
  ASSERT_TRUE(apply(deduplicate).ok());
  EXPECT_EQ(result(0), result(1));
}

TEST_F(DeduplicateTest, MutableBuffersStayApart) {
  Value* a = buffer("a", count({2, 3}, {3, 1}));
  Value* b = buffer("b", count({2, 3}, {3, 1}));
  program.outputs.push_back({ir::OutputKind::kBufferMutation, "b"});
  graph().outputs().emplace_back(x_);
  output(a);
  output(b);
  ASSERT_TRUE(apply(deduplicate).ok());
  EXPECT_EQ(program.inputs.size(), 3U);
  EXPECT_NE(result(1), result(2));
}

}  // namespace
}  // namespace slipway::passes
