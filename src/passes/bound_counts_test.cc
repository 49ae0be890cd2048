#include <cstdlib>

#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::Range;
using ir::SymInt;
using ir::Value;

const SymInt u0 = SymInt::symbol("u0");

class BoundCountsTest : public testing::Test, protected TestProgram {
 protected:
  Value* count_bins(DType dtype, SymInt at_least = 0) {
    x_ = input("x", type({5}, dtype));
    program.ranges["u0"] = {0, std::nullopt};
    return call("aten.bincount.default", {x_, ir::None(), at_least}, type({u0}, DType::kInt64),
                "bincount");
  }
  void read(Value* counts, int64_t end) {
    output(call("aten.slice.Tensor", {counts, SymInt(0), SymInt(0), SymInt(end)},
                type({std::abs(end)}, DType::kInt64), "slice"));
  }
  Range bounds() {
    EXPECT_TRUE(apply(bound_counts).ok());
    EXPECT_TRUE(ir::verify(program).ok());
    return program.ranges["u0"];
  }

  Value* x_ = nullptr;
};

TEST_F(BoundCountsTest, CountsWhatIsNotReadInOneBin) {
  Value* counts = count_bins(DType::kInt64, 4);
  read(counts, 4);
  read(counts, 2);
  EXPECT_EQ(bounds(), (Range{0, 5}));
  const ir::Node& clamp = *counts->producer()->value(0)->producer();
  EXPECT_EQ(clamp.op(), "aten.clamp.default");
  EXPECT_EQ(clamp.value(0), x_);
  EXPECT_EQ(clamp.arg(2), ir::Argument(SymInt(4)));
}

TEST_F(BoundCountsTest, TakesTheBoundOfTheType) {
  Value* counts = count_bins(DType::kUInt8, 300);
  output(counts);
  EXPECT_EQ(bounds(), (Range{0, 300}));
  EXPECT_EQ(counts->producer()->value(0), x_);
}

TEST_F(BoundCountsTest, LeavesNoMoreBoxesThanThereAre) {
  const SymInt s0 = SymInt::symbol("s0");
  program.ranges = {{"s0", {0, 100}}, {"u0", {2, std::nullopt}}};
  Value* boxes = input("boxes", type({s0, 4}));
  output(call("torchvision.nms.default", {boxes, input("scores", type({s0})), 0.5},
              type({u0}, DType::kInt64), "nms"));
  EXPECT_EQ(bounds(), (Range{0, 100}));
}

TEST_F(BoundCountsTest, KeepsABoundThatIsGiven) {
  Value* counts = count_bins(DType::kInt64);
  program.ranges["u0"].max = 64;
  read(counts, 4);
  EXPECT_EQ(bounds(), (Range{0, 64}));
  EXPECT_EQ(counts->producer()->value(0), x_);
}

TEST_F(BoundCountsTest, LeavesBinsThatAreAllRead) {
  Value* counts = count_bins(DType::kInt64);
  read(counts, 4);
  output(call("aten.relu.default", {counts}, type({u0}, DType::kInt64), "relu"));
  EXPECT_EQ(bounds(), (Range{0, std::nullopt}));
}

TEST_F(BoundCountsTest, LeavesBinsWhoseNumberIsAskedFor) {
  read(count_bins(DType::kInt64), 4);
  output(u0 * 2);
  EXPECT_EQ(bounds(), (Range{0, std::nullopt}));
}

TEST_F(BoundCountsTest, LeavesBinsThatAreReadFromTheEnd) {
  read(count_bins(DType::kInt64), -1);
  EXPECT_EQ(bounds(), (Range{0, std::nullopt}));
}

}  // namespace
}  // namespace slipway::passes
