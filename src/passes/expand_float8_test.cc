#include <cmath>
#include <cstring>

#include <gmock/gmock.h>

#include "base/float8.h"
#include "base/half.h"
#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::ConstantData;
using ir::Value;
using testing::HasSubstr;

class Float8Test : public testing::Test, protected TestProgram {
 protected:
  // Bits 0, 1, 2, ..., as a matrix of 16 columns.
  Value* all(DType dtype) {
    ConstantData data;
    data.dtype = dtype;
    data.sizes = {16, 16};
    data.strides = {16, 1};
    std::vector<std::byte> bytes(256);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
    data.storage = own_bytes(std::move(bytes));
    return constant("all", std::move(data));
  }
  Value* convert(Value* x, DType dtype) {
    return call("aten._to_copy.default", {x, dtype}, type(x->sizes(), dtype), "converted");
  }
  std::string error() {
    const Status status = apply(expand_float8);
    return status.ok() ? "" : status.error().message();
  }
};

TEST(Float8, BitsMeanTheTypesNumbers) {
  const Float8 e4m3 = *float8_of(DType::kFloat8E4M3FN);
  EXPECT_EQ(from_float8(0x7e, e4m3), 448);
  EXPECT_EQ(from_float8(0x81, e4m3), -0x1p-9F);
  EXPECT_TRUE(std::signbit(from_float8(0x80, e4m3)));
  EXPECT_TRUE(std::isnan(from_float8(0xff, e4m3)));
  const Float8 e5m2 = *float8_of(DType::kFloat8E5M2);
  EXPECT_EQ(from_float8(0x3d, e5m2), 1.25);
  EXPECT_EQ(from_float8(0xfc, e5m2), -INFINITY);
  EXPECT_TRUE(std::isnan(from_float8(0x7d, e5m2)));
  EXPECT_TRUE(std::isnan(from_float8(0x80, *float8_of(DType::kFloat8E4M3FNUZ))));
  EXPECT_EQ(from_float8(0x7f, *float8_of(DType::kFloat8E5M2FNUZ)), 57344);
  EXPECT_FALSE(float8_of(DType::kFloat8E8M0));
}

TEST_F(Float8Test, ConstantsAreFloat16) {
  Value* turned = call("aten.permute.default", {all(DType::kFloat8E5M2), Ints{1, 0}},
                       type({16, 16}, DType::kFloat8E5M2), "turned");
  output(convert(turned, DType::kFloat32));
  ASSERT_EQ(error(), "");
  EXPECT_EQ(ops(), Ops{"aten._to_copy.default"});
  const ir::Input* constant = program.input_of(at(0)->value(0));
  ASSERT_NE(constant, nullptr);
  ASSERT_EQ(constant->data->dtype, DType::kFloat16);
  uint16_t half = 0;
  // Row 13, column 3 of what is turned: bits 0x3d.
  std::memcpy(&half, constant->data->to_contiguous().data() + 2 * (13 * 16 + 3), sizeof half);
  EXPECT_EQ(from_float16(half), 1.25);
}

TEST_F(Float8Test, PowersOfTwoAreFloat32) {
  output(convert(all(DType::kFloat8E8M0), DType::kFloat32));
  ASSERT_EQ(error(), "");
  EXPECT_EQ(ops(), Ops{});
  float number = 0;
  const ir::Input* constant = program.input_of(result(0));
  ASSERT_NE(constant, nullptr);
  std::memcpy(&number, constant->data->to_contiguous().data() + sizeof(float) * 130, sizeof number);
  EXPECT_EQ(number, 8);
}

TEST_F(Float8Test, ConversionsAndViewsAreFloat32) {
  Value* x = input("x", type({4}));
  Value* small = convert(x, DType::kFloat8E4M3FN);
  Value* seen =
      call("aten.view.default", {small, Ints{2, 2}}, type({2, 2}, DType::kFloat8E4M3FN), "seen");
  output(convert(seen, DType::kFloat16));
  ASSERT_EQ(error(), "");
  EXPECT_EQ(result(0)->dtype(), DType::kFloat16);
  for (const auto& node : graph().nodes()) {
    for (const Value* value : node->outputs()) EXPECT_FALSE(float8_of(value->dtype()));
  }
}

TEST_F(Float8Test, NamesWhatIsNotComputed) {
  Value* given = input("given", type({4}, DType::kFloat8E5M2));
  output(given);
  EXPECT_EQ(error(), "");  // it is not looked into
  output(convert(given, DType::kFloat32));
  EXPECT_THAT(error(), HasSubstr("has given, which is float8_e5m2"));
}

TEST_F(Float8Test, NamesAnOutputThatNothingWrites) {
  output(convert(input("x", type({4})), DType::kFloat8E4M3FN));
  EXPECT_THAT(error(), HasSubstr("converted is an output of float8_e4m3fn"));
}

}  // namespace
}  // namespace slipway::passes
