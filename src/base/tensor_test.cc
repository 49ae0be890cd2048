#include "slipway/tensor.h"

#include <cstdint>
#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "slipway/npy.h"
#include "slipway/tree.h"

namespace slipway {
namespace {

TEST(DTypeTest, NamesAreUniqueAndReadBack) {
  std::set<std::string_view> names;
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    names.insert(dtype_name(dtype));
    EXPECT_EQ(dtype_from_name(dtype_name(dtype)), dtype);
    EXPECT_GT(dtype_size(dtype), 0u);
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(kDTypeCount));
  EXPECT_EQ(dtype_from_name("torch.float32"), std::nullopt);
}

TEST(DTypeTest, KindsExcludeOneAnother) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    const int kinds = int{is_floating_point(dtype)} + int{is_complex(dtype)} +
                      int{is_integral(dtype)} + int{dtype == DType::kBool};
    EXPECT_EQ(kinds, 1) << dtype_name(dtype);
  }
  EXPECT_TRUE(is_floating_point(DType::kFloat8E8M0));
}

TEST(TensorTest, ZerosAreAlignedAndZero) {
  auto tensor = Tensor::zeros(DType::kInt16, {3, 5});
  ASSERT_TRUE(tensor.ok());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor->data()) % 64, 0u);
  EXPECT_EQ(tensor->nbytes(), 30u);
  EXPECT_EQ(tensor->numel(), 15);
  for (std::byte byte : tensor->bytes()) EXPECT_EQ(byte, std::byte{0});
}

TEST(TensorTest, EmptyTensorHasMemoryAndRankZeroHasOneElement) {
  auto empty = Tensor::zeros(DType::kFloat32, {4, 0});
  ASSERT_TRUE(empty.ok());
  EXPECT_NE(empty->data(), nullptr);
  EXPECT_EQ(empty->numel(), 0);
  auto scalar = Tensor::zeros(DType::kFloat32, {});
  ASSERT_TRUE(scalar.ok());
  EXPECT_EQ(scalar->numel(), 1);
}

TEST(TensorTest, CopiesShareMemoryAndKeepItAlive) {
  Tensor copy;
  {
    auto tensor = Tensor::zeros(DType::kInt32, {2});
    ASSERT_TRUE(tensor.ok());
    copy = *tensor;
    tensor->data_as<int32_t>()[1] = 7;
  }
  EXPECT_EQ(copy.data_as<int32_t>()[1], 7);
}

TEST(TensorTest, BorrowRefusesAnotherSize) {
  float data[4] = {};
  EXPECT_TRUE(Tensor::borrow(data, sizeof data, DType::kFloat32, {2, 2}).ok());
  auto wrong = Tensor::borrow(data, sizeof data, DType::kFloat32, {2, 3});
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(wrong.error().message(), "float32[2, 3] takes 24 bytes, but 16 are given");
}

TEST(TensorTest, SizesThatOverflowOrAreNegativeAreErrors) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const std::vector<std::vector<int64_t>> bad = {
      {-1}, {2, -3}, {kMax}, {int64_t{1} << 32, int64_t{1} << 32}, {0, kMax, kMax}};
  for (const auto& sizes : bad) {
    EXPECT_FALSE(contiguous_nbytes(DType::kFloat32, sizes).ok())
        << format_type(DType::kFloat32, sizes);
    EXPECT_FALSE(Tensor::zeros(DType::kFloat32, sizes).ok());
  }
  auto widest = contiguous_nbytes(DType::kUInt8, std::vector<int64_t>{kMax});
  ASSERT_TRUE(widest.ok());
  EXPECT_EQ(*widest, static_cast<size_t>(kMax));
}

TEST(TensorTest, TooMuchMemoryIsAnError) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer ends the process instead of giving no memory";
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
  GTEST_SKIP() << "the sanitizer ends the process instead of giving no memory";
#endif
#endif
  auto tensor = Tensor::zeros(DType::kUInt8, {std::numeric_limits<int64_t>::max() / 2});
  ASSERT_FALSE(tensor.ok());
  EXPECT_EQ(tensor.error().code(), ErrorCode::kResourceExhausted);
}

TEST(ValueTest, TypesArePrinted) {
  EXPECT_EQ(format_value_type(Value()), "None");
  EXPECT_EQ(format_value_type(Value(int64_t{3})), "int 3");
  EXPECT_EQ(format_value_type(Value(1.5)), "float 1.5");
  EXPECT_EQ(format_value_type(Value(true)), "bool true");
  EXPECT_EQ(format_value_type(Value(std::string("a"))), "str \"a\"");
  EXPECT_EQ(format_value_type(Value(*Tensor::zeros(DType::kBFloat16, {2, 3}))), "bfloat16[2, 3]");
}

Tree leaf() { return Tree(); }

Tree example_tree() {
  Tree dict{Tree::Kind::kDict, {"mask", "b"}, "", {leaf(), {Tree::Kind::kList, {}, "", {leaf()}}}};
  Tree named{Tree::Kind::kNamedTuple, {"x"}, "Point", {leaf()}};
  return {Tree::Kind::kTuple, {}, "", {dict, {Tree::Kind::kNone, {}, "", {}}, named}};
}

TEST(TreeTest, PrintsAsPython) {
  EXPECT_EQ(example_tree().to_string({"p", "q", "r"}), "({'mask': p, 'b': [q]}, None, Point(x=r))");
  EXPECT_EQ((Tree{Tree::Kind::kTuple, {}, "", {leaf()}}).to_string({"x"}), "(x,)");
  EXPECT_EQ(leaf().to_string({"x"}), "x");
}

TEST(TreeTest, LeavesHavePaths) {
  EXPECT_EQ(example_tree().leaf_count(), 3);
  EXPECT_EQ(example_tree().leaf_paths(),
            (std::vector<std::string>{"[0]['mask']", "[0]['b'][0]", "[2].x"}));
  EXPECT_EQ(leaf().leaf_paths(), std::vector<std::string>{""});
}

TEST(TensorTest, MayBeOnADevice) {
  int number = 7;  // stands for memory that the host does not read
  const Tensor host = *Tensor::borrow(&number, 4, DType::kInt32, {1});
  const Tensor there = *Tensor::borrow(&number, 4, DType::kInt32, {1}, {Device::Type::kCuda, 1});
  EXPECT_TRUE(host.device().is_cpu());
  EXPECT_EQ(host.bytes().size(), 4U);
  EXPECT_EQ(format_device(host.device()), "cpu");
  EXPECT_EQ(there.device(), (Device{Device::Type::kCuda, 1}));
  EXPECT_EQ(there.nbytes(), 4U);
  EXPECT_EQ(there.data(), &number);
  EXPECT_TRUE(there.bytes().empty());
  EXPECT_EQ(format_value_type(host), "int32[1]");
  EXPECT_EQ(format_value_type(there), "int32[1] on cuda:1");
  const Status written = write_npy("never.npy", there);
  ASSERT_FALSE(written.ok());
  EXPECT_NE(written.error().message().find("in the memory of cuda:1"), std::string::npos);
}

}  // namespace
}  // namespace slipway
