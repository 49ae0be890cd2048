#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::Value;

class MergeChecksTest : public testing::Test, protected TestProgram {
 protected:
  MergeChecksTest() : token_(stored(ir::InputKind::kToken, "token", count({0}, {1}))) {
    program.inputs.back().data.reset();
  }
  Value* check(Value* info) {
    return call("higher_order.with_effects",
                {token_, ir::OperatorName{"aten._linalg_check_errors.default"}, info,
                 std::string("linalg.inv"), true},
                type({0}), "with_effects");
  }
  void end(Value* token, Value* result) {
    program.outputs.push_back({ir::OutputKind::kToken, ""});
    graph().outputs().emplace_back(token);
    output(result);
  }

  Value* token_;
};

TEST_F(MergeChecksTest, HasTheFactorizationCheckItself) {
  ir::Node* inverse = node("aten.linalg_inv_ex.default", {input("x", type({2, 2}))},
                           {type({2, 2}), type({}, DType::kInt32)}, "inv");
  end(check(inverse->output(1)), inverse->output(0));
  ASSERT_TRUE(apply(merge_checks).ok());
  ASSERT_TRUE(ir::verify(program).ok());
  EXPECT_EQ(inverse->arg(1), ir::Argument(true));
  EXPECT_EQ(graph().nodes().size(), 1U);
  ASSERT_EQ(program.outputs.size(), 1U);
  EXPECT_EQ(program.outputs[0].kind, ir::OutputKind::kUserOutput);
  ASSERT_TRUE(apply(remove_dead_code).ok());
  EXPECT_EQ(program.inputs.size(), 1U);
}

TEST_F(MergeChecksTest, RefusesAnInfoThatComesFromElsewhere) {
  Value* x = input("x", type({}, DType::kInt32));
  end(check(x), x);
  const Status merged = apply(merge_checks);
  ASSERT_FALSE(merged.ok());
  EXPECT_NE(merged.error().message().find("with_effects"), std::string::npos);
}

}  // namespace
}  // namespace slipway::passes
