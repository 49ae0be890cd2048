#include <cstring>

#include <gmock/gmock.h>

#include "ir/fake_quantize_rows.h"
#include "passes/decompositions/quantization_steps.h"
#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::SymInt;
using ir::Value;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;

class RowQuantizationTest : public testing::Test, protected TestProgram {
 protected:
  Value* x_ = input("x", type({SymInt::symbol("n"), 4}));
  ir::OpBuilder build_{graph(), nullptr, nullptr};
  EngineChoice engine_ = {.takes = [](const ir::Node&) { return true; },
                          .is_excluded = [](const ir::Node&) { return false; }};

  // By the extrema along these dimensions, as expand_dynamic_quantization writes it.
  Value* rounded(Value* x, const std::vector<int64_t>& dims) {
    const auto by = decompositions::choose_affine(build_, x, dims, true, -128, 127, 1e-7);
    return decompositions::dequantize_by(build_,
                                         decompositions::quantize_by(build_, x, by, -128, 127), by);
  }
  void gather(bool allow_reduced_precision = false) {
    ASSERT_TRUE(build_.status().ok());
    ASSERT_TRUE(apply(gather_row_quantization, engine_, allow_reduced_precision).ok());
  }
  static ir::ConstantData levels(std::vector<int64_t> sizes, std::vector<int8_t> values) {
    ir::ConstantData data;
    data.dtype = DType::kInt8;
    data.strides.assign(sizes.size(), 1);
    for (size_t i = sizes.size(); i-- > 1;) data.strides[i - 1] = data.strides[i] * sizes[i];
    data.sizes = std::move(sizes);
    std::vector<std::byte> bytes(values.size());
    std::memcpy(bytes.data(), values.data(), bytes.size());
    data.storage = own_bytes(std::move(bytes));
    return data;
  }
  // As torchao writes the dequantization of a weight [2, 4] in groups of two.
  Value* weight_in_groups(std::vector<int8_t> values, int8_t zero = 0) {
    Value* w = constant("w", levels({2, 4}, std::move(values)));
    Value* z = constant("z", levels({2, 2}, std::vector<int8_t>(4, zero)));
    Value* s = constant("s", count({2, 2}, {2, 1}, 1));
    const Ints groups = {2, 2, 2};
    const Ints ones = {2, 2, 1};
    Value* wide = build_.to_dtype(build_.view(w, groups), DType::kFloat32);
    wide = build_.sub(wide, build_.to_dtype(build_.view(z, ones), DType::kFloat32));
    return build_.view(build_.mul(wide, build_.view(s, ones)), {2, 4});
  }
};

TEST_F(RowQuantizationTest, IsOneNodeForAllWhoQuantizeTheSame) {
  output(rounded(x_, {-1}));
  output(rounded(x_, {-1}));
  gather();
  EXPECT_THAT(ops(), ElementsAre(ir::kFakeQuantizeRows));
  EXPECT_EQ(at(0)->arg(1), ir::Argument(SymInt(1)));
  EXPECT_EQ(at(0)->arg(2), ir::Argument(1e-7));
}

TEST_F(RowQuantizationTest, HasOneScaleForSeveralRowsOnlyIfThatIsAllowed) {
  output(rounded(x_, {}));
  gather();
  EXPECT_THAT(ops(), Not(Contains(ir::kFakeQuantizeRows)));
  gather(/*allow_reduced_precision=*/true);
  EXPECT_THAT(ops(), ElementsAre(ir::kFakeQuantizeRows));
  EXPECT_EQ(at(0)->arg(1), ir::Argument(SymInt(2)));
}

TEST_F(RowQuantizationTest, TakesTheOnlyRow) {
  output(rounded(input("row", type({1, 4})), {}));
  gather();
  EXPECT_THAT(ops(), ElementsAre(ir::kFakeQuantizeRows));
}

TEST_F(RowQuantizationTest, BecomesTheSameSteps) {
  output(rounded(x_, {-1}));
  ir::Program plain = program.clone();
  gather();
  ASSERT_TRUE(apply(decompose).ok());
  ASSERT_TRUE(decompose(plain).ok());
  EXPECT_EQ(ops(), ops(*plain.graph));
}

TEST_F(RowQuantizationTest, LeavesOtherSteps) {
  // Scales of columns, of other numbers, of another range, and what the user keeps outside.
  output(rounded(x_, {0}));
  Value* y = input("y", x_->type());
  const auto by = decompositions::choose_affine(build_, y, {-1}, true, -128, 127, 1e-7);
  output(decompositions::dequantize_by(build_,
                                       decompositions::quantize_by(build_, x_, by, -128, 127), by));
  const auto narrow = decompositions::choose_affine(build_, x_, {-1}, true, -127, 127, 1e-7);
  output(decompositions::dequantize_by(
      build_, decompositions::quantize_by(build_, x_, narrow, -127, 127), narrow));
  const Ops before = ops();
  gather();
  EXPECT_EQ(ops(), before);

  output(rounded(x_, {-1}));
  engine_.is_excluded = [](const ir::Node& node) { return node.op() == "aten.amin.default"; };
  const size_t count = ops().size();
  gather();
  EXPECT_EQ(ops().size(), count);
}

TEST_F(RowQuantizationTest, SaysHowManyBitsAWeightHas) {
  output(weight_in_groups({-8, 7, 0, 1, 2, 3, 4, 5}));
  gather();
  EXPECT_THAT(ops(), ElementsAre("quantized_decomposed.dequantize_per_channel_group.default"));
  EXPECT_EQ(at(0)->arg(3), ir::Argument(SymInt(-8)));
  EXPECT_EQ(at(0)->arg(4), ir::Argument(SymInt(7)));
  EXPECT_EQ(at(0)->arg(6), ir::Argument(SymInt(2)));
  EXPECT_EQ(at(0)->value(1)->sizes(), (Ints{2, 2}));
}

TEST_F(RowQuantizationTest, GivesLargerLevelsTheRangeOfEightBits) {
  output(weight_in_groups({-8, 8, 0, 1, 2, 3, 4, 5}));
  gather();
  ASSERT_THAT(ops(), ElementsAre("quantized_decomposed.dequantize_per_channel_group.default"));
  EXPECT_EQ(at(0)->arg(4), ir::Argument(SymInt(127)));
}

TEST_F(RowQuantizationTest, LeavesWeightsWithZeroPoints) {
  output(weight_in_groups({1, 2, 3, 4, 5, 6, 7, 8}, 1));
  const Ops before = ops();
  gather();
  EXPECT_EQ(ops(), before);
}

}  // namespace
}  // namespace slipway::passes
