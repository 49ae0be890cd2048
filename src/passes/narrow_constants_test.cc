#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::SymInt;
using ir::Value;

class NarrowConstantsTest : public testing::Test, protected TestProgram {};

TEST_F(NarrowConstantsTest, ExpandsWhatStridesRepeat) {
  Value* w = buffer("w", count({256, 2, 64}, {0, 64, 1}, 0, 128));
  output(call("aten.relu.default", {w}, type({256, 2, 64}), "relu"));
  ASSERT_TRUE(apply(narrow_constants).ok());
  EXPECT_TRUE(ir::verify(program).ok());
  const ir::Node& expand = *result(0)->producer()->value(0)->producer();
  EXPECT_EQ(expand.op(), "aten.expand.default");
  EXPECT_EQ(expand.value(0), w);
  EXPECT_EQ(expand.output()->sizes(), (std::vector<SymInt>{256, 2, 64}));
  EXPECT_EQ(w->sizes(), (std::vector<SymInt>{1, 2, 64}));
  EXPECT_EQ(program.inputs[0].data->nbytes(), 128 * sizeof(float));
}

TEST_F(NarrowConstantsTest, LeavesOthers) {
  Value* small = buffer("small", count({64, 64}, {0, 1}));
  Value* whole = buffer("whole", count({256, 128}, {128, 1}, 0, 256 * 128));
  Value* both = call("aten.add.Tensor", {small, whole}, type({64, 64}), "add");
  output(both);
  ASSERT_TRUE(apply(narrow_constants).ok());
  EXPECT_EQ(result(0)->producer()->value(0), small);
  EXPECT_EQ(result(0)->producer()->value(1), whole);
  EXPECT_EQ(small->sizes(), (std::vector<SymInt>{64, 64}));
}

}  // namespace
}  // namespace slipway::passes
