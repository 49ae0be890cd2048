#include "ir/promotion.h"

#include <array>

#include <gtest/gtest.h>

namespace slipway::ir {
namespace {

// A letter a type, in the order of the tables' rows.
constexpr std::string_view kLetters = "BbhilefdCFD?a";
constexpr std::array<DType, 13> kTypes = {
    DType::kUInt8,      DType::kInt8,    DType::kInt16,    DType::kInt32,     DType::kInt64,
    DType::kFloat16,    DType::kFloat32, DType::kFloat64,  DType::kComplex32, DType::kComplex64,
    DType::kComplex128, DType::kBool,    DType::kBFloat16,
};

char letter(DType dtype) {
  for (size_t i = 0; i < kTypes.size(); ++i) {
    if (kTypes[i] == dtype) return kLetters[i];
  }
  return '-';
}

TensorType tensor(DType dtype, size_t rank) {
  return {dtype, std::vector<SymInt>(rank, SymInt(2)), {}};
}

// What torch 2.14 gives. '_': a type that Slipway does not know.

TEST(PromotionTest, PromoteTypes) {
  constexpr std::array<std::string_view, 13> kExpected = {
      "BhhilefdCFDBa",  // uint8
      "hbhilefdCFDba",  // int8
      "hhhilefdCFDha",  // int16
      "iiiilefdCFDia",  // int32
      "lllllefdCFDla",  // int64
      "eeeeeefdCFDef",  // float16
      "fffffffdFFDff",  // float32
      "ddddddddDDDdd",  // float64
      "CCCCCCFDCFDCF",  // complex32
      "FFFFFFFDFFDFF",  // complex64
      "DDDDDDDDDDDDD",  // complex128
      "BbhilefdCFD?a",  // bool
      "aaaaaffdFFDaa",  // bfloat16
  };
  for (size_t i = 0; i < kTypes.size(); ++i) {
    std::string row;
    for (DType other : kTypes) row += letter(promote_types(kTypes[i], other));
    EXPECT_EQ(row, kExpected[i]);
  }
}

TEST(PromotionTest, TensorsWithoutDimensionsYield) {
  constexpr std::array<std::string_view, 13> kExpected = {
      "BBBBBefdCFDBa",  // uint8
      "bbbbbefdCFDba",  // int8
      "hhhhhefdCFDha",  // int16
      "iiiiiefdCFDia",  // int32
      "lllllefdCFDla",  // int64
      "eeeeeeeeCCCee",  // float16
      "ffffffffFFFff",  // float32
      "ddddddddDDDdd",  // float64
      "CCCCCCCCCCCCC",  // complex32
      "FFFFFFFFFFFFF",  // complex64
      "DDDDDDDDDDDDD",  // complex128
      "BbhilefdCFD?a",  // bool
      "aaaaaaaa___aa",  // bfloat16
  };
  for (size_t i = 0; i < kTypes.size(); ++i) {
    for (size_t j = 0; j < kTypes.size(); ++j) {
      if (kExpected[i][j] == '_') continue;
      DType dtype = ResultType().add(tensor(kTypes[i], 1)).add(tensor(kTypes[j], 0)).get();
      EXPECT_EQ(letter(dtype), kExpected[i][j])
          << dtype_name(kTypes[i]) << " and 0-dim " << dtype_name(kTypes[j]);
    }
  }
}

TEST(PromotionTest, NumbersYield) {
  // True, 1 and 1.0 with a tensor of one dimension, and then of none.
  constexpr std::array<std::string_view, 13> kExpected = {
      "BBfBBf", "bbfbbf", "hhfhhf", "iifiif", "llfllf", "eeeeee", "ffffff",
      "dddddd", "CCCCCC", "FFFFFF", "DDDDDD", "?lf?lf", "aaaaaa",
  };
  for (size_t i = 0; i < kTypes.size(); ++i) {
    std::string row;
    for (size_t rank : {1, 0}) {
      for (ScalarKind kind : {ScalarKind::kBool, ScalarKind::kInt, ScalarKind::kFloat}) {
        row += letter(ResultType().add(tensor(kTypes[i], rank)).add(kind).get());
      }
    }
    EXPECT_EQ(row, kExpected[i]) << dtype_name(kTypes[i]);
  }
}

TEST(PromotionTest, ReductionsAndFloatFunctions) {
  EXPECT_EQ(to_floating_point(DType::kInt64), DType::kFloat32);
  EXPECT_EQ(to_floating_point(DType::kBool), DType::kFloat32);
  EXPECT_EQ(to_floating_point(DType::kFloat16), DType::kFloat16);
  EXPECT_EQ(accumulation_type(DType::kBool), DType::kInt64);
  EXPECT_EQ(accumulation_type(DType::kInt8), DType::kInt64);
  EXPECT_EQ(accumulation_type(DType::kBFloat16), DType::kBFloat16);
}

}  // namespace
}  // namespace slipway::ir
