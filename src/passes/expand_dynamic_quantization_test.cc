#include <algorithm>

#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::SymInt;
using ir::Value;

class DynamicQuantizationTest : public testing::Test, protected TestProgram {
 protected:
  ir::TensorType levels_ = type({SymInt::symbol("n"), 4}, DType::kInt8);

  Value* x(DType dtype) { return input("x", type(levels_.sizes, dtype)); }
  // Scale and zero point of one element.
  ir::Node* choose(Value* x) {
    return node("quantized_decomposed.choose_qparams.tensor",
                {x, SymInt(-128), SymInt(127), 1e-7, DType::kInt8},
                {type({1}, DType::kFloat64), type({1}, DType::kInt64)}, "chosen");
  }
  Value* quantize(Value* x, Value* scale, Value* zero) {
    return call("quantized_decomposed.quantize_per_tensor.tensor",
                {x, scale, zero, SymInt(-128), SymInt(127), DType::kInt8}, levels_, "levels");
  }
  Value* dequantize(Value* levels, Value* scale, Value* zero) {
    return call("quantized_decomposed.dequantize_per_tensor.tensor",
                {levels, scale, zero, SymInt(-128), SymInt(127), DType::kInt8}, type(levels_.sizes),
                "y");
  }
  // Operators of quantization, and conversions.
  size_t count_of(const std::string& part) {
    const Ops all = ops();
    return static_cast<size_t>(std::count_if(all.begin(), all.end(), [&](const std::string& op) {
      return op.find(part) != std::string::npos;
    }));
  }
};

TEST_F(DynamicQuantizationTest, IsFloat32WhereOnlyDequantizationReadsIt) {
  Value* given = x(DType::kFloat32);
  ir::Node* chosen = choose(given);
  Value* levels = quantize(given, chosen->output(0), chosen->output(1));
  output(dequantize(levels, chosen->output(0), chosen->output(1)));
  ASSERT_TRUE(apply(expand_dynamic_quantization).ok());
  EXPECT_EQ(count_of("quantized_decomposed"), 0U);
  EXPECT_EQ(count_of("aten._to_copy"), 0U);
}

TEST_F(DynamicQuantizationTest, IsConvertedForWhatElseReadsIt) {
  Value* given = x(DType::kFloat32);
  ir::Node* chosen = choose(given);
  Value* levels = quantize(given, chosen->output(0), chosen->output(1));
  for (Value* value : {chosen->output(0), chosen->output(1), levels}) output(value);
  ASSERT_TRUE(apply(expand_dynamic_quantization).ok());
  EXPECT_EQ(count_of("quantized_decomposed"), 0U);
  EXPECT_EQ(result(0)->dtype(), DType::kFloat64);
  EXPECT_EQ(result(0)->sizes(), Ints{1});
  EXPECT_EQ(result(1)->dtype(), DType::kInt64);
  EXPECT_EQ(result(2)->dtype(), DType::kInt8);
}

TEST_F(DynamicQuantizationTest, LeavesWhatIsChosenElsewhereAndOtherTypes) {
  Value* given = x(DType::kFloat32);
  Value* scale = input("scale", type({1}, DType::kFloat64));
  Value* zero = input("zero", type({1}, DType::kInt64));
  output(dequantize(quantize(given, scale, zero), scale, zero));
  output(choose(x(DType::kFloat16))->output());
  ASSERT_TRUE(apply(expand_dynamic_quantization).ok());
  EXPECT_EQ(ops().size(), 3U);
  EXPECT_EQ(count_of("quantized_decomposed"), 3U);
}

// torchao's: (input, block, scale, zero point, ...) with scales of rows.
class AffineTest : public DynamicQuantizationTest {
 protected:
  ir::TensorType rows_ = type({SymInt::symbol("n"), 1});

  ir::Node* choose_affine(Value* x, const std::string& mapping, int64_t block) {
    return node("torchao.choose_qparams_affine.default",
                {x, mapping, Ints{1, block}, DType::kInt8, SymInt(-128), SymInt(127)},
                {rows_, type(rows_.sizes, DType::kInt8)}, "chosen");
  }
  Value* quantize_affine(Value* x, int64_t block, Value* scale, Value* zero) {
    return call("torchao.quantize_affine.default", {x, Ints{1, block}, scale, zero, DType::kInt8},
                levels_, "levels");
  }
  Value* dequantize_affine(Value* levels, int64_t block, Value* scale, ir::Argument zero) {
    return call("torchao.dequantize_affine.default",
                {levels, Ints{1, block}, scale, std::move(zero), DType::kInt8},
                type(levels->sizes()), "y");
  }
};

TEST_F(AffineTest, IsFloat32StepsOfRows) {
  Value* given = x(DType::kFloat32);
  for (const char* mapping : {"ASYMMETRIC", "SYMMETRIC"}) {
    ir::Node* chosen = choose_affine(given, mapping, 4);
    Value* levels = quantize_affine(given, 4, chosen->output(0), chosen->output(1));
    output(dequantize_affine(levels, 4, chosen->output(0), chosen->output(1)));
  }
  ASSERT_TRUE(apply(expand_dynamic_quantization).ok());
  EXPECT_EQ(count_of("torchao"), 0U);
  EXPECT_EQ(count_of("aten._to_copy"), 0U);
}

TEST_F(AffineTest, ScalesGroupsOfWeights) {
  Value* scale = input("scale", type({3, 2}, DType::kBFloat16));
  Value* zero = input("zero", type({3, 2}, DType::kInt8));
  output(dequantize_affine(input("w", type({3, 4}, DType::kInt8)), 2, scale, zero));
  output(dequantize_affine(input("v", type({3, 4}, DType::kInt8)), 2, scale, ir::None()));
  ASSERT_TRUE(apply(expand_dynamic_quantization).ok());
  EXPECT_EQ(count_of("torchao"), 0U);
  EXPECT_EQ(count_of("aten.sub"), 1U);
  EXPECT_EQ(result(0)->sizes(), (Ints{3, 4}));
}

TEST_F(AffineTest, WeightsMayBeOfHalves) {
  Value* levels = input("w", type({3, 4}, DType::kInt8));
  for (const DType dtype : {DType::kBFloat16, DType::kFloat16}) {
    for (const DType scales : {dtype, DType::kFloat32}) {
      Value* scale = input("scale", type({3, 2}, scales));
      output(call("torchao.dequantize_affine.default",
                  {levels, Ints{1, 2}, scale, ir::None(), DType::kInt8}, type({3, 4}, dtype), "y"));
    }
  }
  ASSERT_TRUE(apply(expand_dynamic_quantization).ok());
  EXPECT_EQ(count_of("torchao"), 0U);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(result(i)->dtype(), i < 2 ? DType::kBFloat16 : DType::kFloat16);
    // Rounded to the type before it is multiplied, and once more where the scale is not of it.
    const DType product = i % 2 == 0 ? result(i)->dtype() : DType::kFloat32;
    Value* value = result(i)->producer()->value(0);
    if (i % 2 != 0) value = value->producer()->value(0);
    EXPECT_EQ(value->dtype(), product);
  }
}

TEST_F(AffineTest, LeavesOtherBlocks) {
  Value* given = x(DType::kFloat32);
  output(choose_affine(given, "ASYMMETRIC", 2)->output());
  output(choose_affine(given, "SYMMETRIC_NO_CLIPPING_ERR", 4)->output());
  Value* scale = input("scale", rows_);
  Value* zero = input("zero", type(rows_.sizes, DType::kInt8));
  output(quantize_affine(given, 4, scale, zero));
  ASSERT_TRUE(apply(expand_dynamic_quantization).ok());
  EXPECT_EQ(count_of("torchao"), 3U);
}

}  // namespace
}  // namespace slipway::passes
