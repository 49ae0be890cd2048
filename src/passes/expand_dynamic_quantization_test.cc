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

}  // namespace
}  // namespace slipway::passes
