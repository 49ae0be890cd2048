#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::SymInt;
using ir::Value;

class KeepEmptySizesTest : public testing::Test, protected TestProgram {
 protected:
  // cat of two tensors of these sizes along a dimension, where n is at least `least`.
  Ops kept(Ints sizes, int64_t dim, int64_t least) {
    program.ranges["n"] = {least, 8};
    Value* x = input("x", type(sizes));
    const auto joined =
        static_cast<size_t>(dim < 0 ? dim + static_cast<int64_t>(sizes.size()) : dim);
    sizes[joined] = sizes[joined] + sizes[joined];
    output(call("aten.cat.default", {std::vector<Value*>{x, x}, SymInt(dim)}, type(sizes), "both"));
    EXPECT_TRUE(apply(keep_empty_sizes).ok());
    return ops();
  }
  const SymInt n_ = SymInt::symbol("n");
};

TEST_F(KeepEmptySizesTest, BesideADimensionThatMayBeEmpty) {
  EXPECT_EQ(kept({n_, 3}, 1, 0), (Ops{"aten.cat.default", "aten.view_copy.default"}));
  EXPECT_EQ(result(0), at(1)->output());
  EXPECT_EQ(at(1)->value(0), at(0)->output());
}

TEST_F(KeepEmptySizesTest, CountedFromTheEnd) {
  EXPECT_EQ(kept({n_, 3}, -1, 0), (Ops{"aten.cat.default", "aten.view_copy.default"}));
}

TEST_F(KeepEmptySizesTest, NotBesideOthers) {
  EXPECT_EQ(kept({n_, 3}, 1, 1), Ops{"aten.cat.default"});
}

TEST_F(KeepEmptySizesTest, NotForTheJoinedDimension) {
  EXPECT_EQ(kept({n_, 3}, 0, 0), Ops{"aten.cat.default"});
}

}  // namespace
}  // namespace slipway::passes
