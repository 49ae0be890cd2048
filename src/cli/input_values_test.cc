#include "cli/input_values.h"

#include <gtest/gtest.h>

#include "cli/compare.h"
#include "cli/text.h"

namespace slipway::cli {
namespace {

TEST(ParseValue, TellsLiteralsApart) {
  EXPECT_EQ(std::get<int64_t>(*parse_value("3")), 3);
  EXPECT_EQ(std::get<int64_t>(*parse_value("-7")), -7);
  EXPECT_EQ(std::get<double>(*parse_value("1.5")), 1.5);
  EXPECT_EQ(std::get<double>(*parse_value("1e-05")), 1e-5);
  EXPECT_EQ(std::get<bool>(*parse_value("true")), true);
  EXPECT_EQ(std::get<bool>(*parse_value("false")), false);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(*parse_value("none")));
  EXPECT_EQ(std::get<std::string>(*parse_value("\"a \\\"b\\\" \\u00e9\"")), "a \"b\" \xc3\xa9");
}

TEST(ParseValue, RefusesTheRest) {
  for (const char* text : {"", "x", "x.txt", "3x", "\"open", "99999999999999999999x"}) {
    const auto value = parse_value(text);
    ASSERT_FALSE(value.ok()) << text;
    EXPECT_EQ(value.error().code(), ErrorCode::kInvalidArgument) << text;
  }
  EXPECT_EQ(parse_value("/nowhere/x.npy").error().code(), ErrorCode::kNotFound);
}

TEST(StoredAs, ReadsBitsAsTheTypeThatNumPyLacks) {
  const Value bits = *Tensor::zeros(DType::kUInt16, {2});
  EXPECT_EQ(std::get<Tensor>(*stored_as(bits, DType::kBFloat16)).dtype(), DType::kBFloat16);
  EXPECT_EQ(std::get<Tensor>(*stored_as(bits, DType::kFloat16)).dtype(), DType::kUInt16);
  const Value bytes = *Tensor::zeros(DType::kUInt8, {2});
  EXPECT_EQ(std::get<Tensor>(*stored_as(bytes, DType::kFloat8E5M2)).dtype(), DType::kFloat8E5M2);
  EXPECT_EQ(std::get<Tensor>(*stored_as(bytes, DType::kInt8)).dtype(), DType::kUInt8);
}

Tensor floats(const std::vector<float>& values) {
  Tensor tensor = *Tensor::zeros(DType::kFloat32, {static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), tensor.data_as<float>());
  return tensor;
}

TEST(Compare, AllowsTheTolerance) {
  EXPECT_TRUE(compare(floats({1, 100}), floats({1.000005f, 100.0005f}), {}).equal);
  const Comparison far = compare(floats({1, 2}), floats({1, 2.5f}), {});
  EXPECT_FALSE(far.equal);
  EXPECT_EQ(far.problem, "element 1 is 2, not 2.5");
  EXPECT_EQ(far.worst, 0.5);
}

Tensor halves(DType dtype, const std::vector<uint16_t>& bits) {
  Tensor tensor = *Tensor::zeros(dtype, {static_cast<int64_t>(bits.size())});
  std::copy(bits.begin(), bits.end(), tensor.data_as<uint16_t>());
  return tensor;
}

TEST(Compare, AllowsTwoUnitsOfHalfTypes) {
  for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
    const uint16_t one = dtype == DType::kFloat16 ? 0x3c00 : 0x3f80;
    const auto same = [&](uint16_t found, uint16_t expected, const Tolerance& tolerance = {}) {
      return compare(halves(dtype, {found}), halves(dtype, {expected}), tolerance).equal;
    };
    EXPECT_TRUE(same(one + 2, one));
    EXPECT_FALSE(same(one + 5, one));
    EXPECT_TRUE(same(one + 5, one, {0.1, 0}));
    const uint16_t infinity = dtype == DType::kFloat16 ? 0x7c00 : 0x7f80;
    EXPECT_FALSE(same(infinity, infinity - 1));
    EXPECT_FALSE(same(infinity + 1, infinity));
    EXPECT_TRUE(same(infinity + 1, infinity + 2));  // NaNs
    EXPECT_TRUE(same(0x8000, 0));
  }
  const Comparison far =
      compare(halves(DType::kFloat16, {0x4000}), halves(DType::kFloat16, {0x4200}), {});
  EXPECT_EQ(far.problem, "element 0 is 2, not 3");
  EXPECT_EQ(far.worst, 1);
  // As NumPy stores them.
  EXPECT_TRUE(
      compare(halves(DType::kBFloat16, {0x3f81}), halves(DType::kUInt16, {0x3f80}), {}).equal);
}

TEST(Compare, InfinitiesAndNaNsMustBeTheSame) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(compare(floats({inf, nan}), floats({inf, nan}), {}).equal);
  EXPECT_FALSE(compare(floats({inf}), floats({-inf}), {}).equal);
  EXPECT_FALSE(compare(floats({inf}), floats({1}), {}).equal);
  EXPECT_FALSE(compare(floats({1}), floats({inf}), {}).equal);
  EXPECT_FALSE(compare(floats({nan}), floats({0}), {}).equal);
}

TEST(Compare, TypesAndShapesMustBeTheSame) {
  EXPECT_FALSE(compare(floats({1}), floats({1, 2}), {}).equal);
  EXPECT_FALSE(compare(floats({1}), *Tensor::zeros(DType::kFloat64, {1}), {}).equal);
  EXPECT_TRUE(
      compare(*Tensor::zeros(DType::kBFloat16, {1}), *Tensor::zeros(DType::kUInt16, {1}), {})
          .equal);
}

TEST(Text, FormatsBytesAndTables) {
  EXPECT_EQ(format_bytes(640), "640 bytes");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes(uint64_t{350} << 20), "350.0 MiB");
  EXPECT_EQ(format_table({{"a", "bb"}, {"ccc", "d"}}, " "), " a    bb\n ccc  d\n");
  EXPECT_EQ(printable("a\x1b[0m\\"), "a\\x1b[0m\\x5c");
  EXPECT_EQ(summarize(floats({1, 2.5f})), "1 2.5");
  EXPECT_EQ(summarize(floats(std::vector<float>(9, 2))), "min 2, max 2, mean 2");
  Tensor numbers = *Tensor::zeros(DType::kInt64, {2});
  numbers.data_as<int64_t>()[0] = INT64_MAX;
  numbers.data_as<int64_t>()[1] = 1'234'567;
  EXPECT_EQ(summarize(numbers), "9223372036854775807 1234567");
  Tensor more = *Tensor::zeros(DType::kInt32, {9});
  more.data_as<int32_t>()[3] = -12'345'678;
  EXPECT_EQ(summarize(more), "min -12345678, max 0, mean -1.37174e+06");
}

}  // namespace
}  // namespace slipway::cli
