#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::SymInt;
using ir::Value;

class GuardGridsTest : public testing::Test, protected TestProgram {
 protected:
  Ops guard(int64_t mode, int64_t padding, const char* op = "aten.grid_sampler_2d.default") {
    Value* image = input("image", type({1, 2, 4, 4}));
    Value* grid = input("grid", type({1, 3, 5, 2}));
    output(call(op, {image, grid, SymInt(mode), SymInt(padding), false}, type({1, 2, 3, 5}),
                "sampled"));
    const Status status = apply(guard_grids);
    EXPECT_TRUE(status.ok()) << status.error().message();
    return ops();
  }
};

TEST_F(GuardGridsTest, SamplesAPlaceThatIsThere) {
  EXPECT_EQ(guard(0, 2), (Ops{"aten.abs.default", "aten.lt.Scalar", "aten.scalar_tensor.default",
                              "aten.where.self", "aten.grid_sampler_2d.default"}));
  EXPECT_EQ(result(0)->producer()->value(1)->producer()->op(), "aten.where.self");
}

TEST_F(GuardGridsTest, GivesNanWherePyTorchDoes) {
  guard(0, 0, "aten.grid_sampler.default");
  EXPECT_EQ(result(0)->producer()->op(), "aten.where.self");
}

TEST_F(GuardGridsTest, LeavesVolumesAlone) {
  Value* volume = input("volume", type({1, 2, 4, 4, 4}));
  Value* grid = input("grid", type({1, 3, 5, 6, 3}));
  output(call("aten.grid_sampler.default", {volume, grid, SymInt(0), SymInt(0), false},
              type({1, 2, 3, 5, 6}), "sampled"));
  ASSERT_TRUE(apply(guard_grids).ok());
  EXPECT_EQ(ops(), Ops{"aten.grid_sampler.default"});
}

}  // namespace
}  // namespace slipway::passes
