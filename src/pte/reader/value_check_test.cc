#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pte/reader/program_test.h"

namespace slipway::pte {
namespace {

using testing::HasSubstr;

std::string error_with_tensor(const TestTensor& tensor) {
  TestProgram p;
  p.constants(p.segment(std::string(64, '\0')), {0, 0, 16, 32});
  p.initial_values(p.segment(std::string(64, '\0')), {0, 0, 48});
  p.tensor(tensor);
  return read_error(p);
}

TestTensor with(void (*change)(TestTensor&)) {
  TestTensor tensor;
  change(tensor);
  return tensor;
}

TEST(TensorCheckTest, PlainTensorsPass) {
  EXPECT_EQ(error_with_tensor({}), "");
  EXPECT_EQ(error_with_tensor(with([](TestTensor& t) { t.sizes = {}; })), "");
  EXPECT_EQ(error_with_tensor(with([](TestTensor& t) { t.dynamism = 1; })), "");
  EXPECT_EQ(error_with_tensor(with([](TestTensor& t) { t.dim_order = {{1, 0}}; })), "");
}

TEST(TensorCheckTest, ElementTypesAreKnown) {
  for (int type = -2; type < 40; ++type) {
    TestTensor tensor;
    tensor.scalar_type = type;
    const bool known = (type >= 0 && type <= 11) || type == 15 || (type >= 23 && type <= 29);
    EXPECT_EQ(error_with_tensor(tensor).empty(), known) << type;
  }
}

TEST(TensorCheckTest, ShapesAreSane) {
  const auto error_with_sizes = [](std::vector<int32_t> sizes) {
    TestTensor tensor;
    tensor.sizes = std::move(sizes);
    return error_with_tensor(tensor);
  };
  EXPECT_THAT(error_with_sizes({2, -1}), HasSubstr("negative size"));
  EXPECT_THAT(error_with_sizes({INT32_MAX, INT32_MAX, INT32_MAX}), HasSubstr("63 bits"));
  EXPECT_THAT(error_with_sizes({0, INT32_MAX, INT32_MAX, INT32_MAX}), HasSubstr("63 bits"));
  EXPECT_THAT(error_with_sizes({1, 65536, 65536}), HasSubstr("strides do not fit"));
  EXPECT_EQ(error_with_sizes({65536, 65536}), "");
  EXPECT_EQ(error_with_sizes(std::vector<int32_t>(16, 1)), "");
  EXPECT_THAT(error_with_sizes(std::vector<int32_t>(17, 1)), HasSubstr("17 sizes"));
}

TEST(TensorCheckTest, DimOrderIsAPermutation) {
  for (const auto& order : std::vector<std::vector<uint8_t>>{
           {}, {0}, {0, 0}, {1, 1}, {0, 2}, {0, 255}, {0, 1, 2}, {0, 32}}) {
    TestTensor tensor;
    tensor.dim_order = order;
    EXPECT_THAT(error_with_tensor(tensor), HasSubstr("dim_order")) << order.size();
  }
}

TEST(TensorCheckTest, WhatExecuTorchLacksIsRefused) {
  EXPECT_THAT(error_with_tensor(with([](TestTensor& t) { t.storage_offset = 1; })),
              HasSubstr("storage offset"));
  for (const int dynamism : {-1, 2, 3}) {
    TestTensor tensor;
    tensor.dynamism = dynamism;
    EXPECT_THAT(error_with_tensor(tensor), HasSubstr("no upper bound"));
  }
  EXPECT_THAT(error_with_tensor(with([](TestTensor& t) { t.external = true; })),
              HasSubstr("another file (.ptd)"));
  EXPECT_THAT(error_with_tensor(with([](TestTensor& t) { t.device = 2; })),
              HasSubstr("it lies on a device of kind 2, number 0, which is not supported"));
}

TEST(TensorCheckTest, ConstantsLieInTheirSegment) {
  const auto error_with_data = [](uint32_t data, std::vector<int32_t> sizes) {
    TestTensor tensor;
    tensor.data = data;
    tensor.sizes = std::move(sizes);
    return error_with_tensor(tensor);
  };
  EXPECT_EQ(error_with_data(1, {16}), "");
  EXPECT_EQ(error_with_data(3, {8}), "");
  EXPECT_THAT(error_with_data(1, {17}), HasSubstr("do not lie in its segment"));
  EXPECT_THAT(error_with_data(3, {9}), HasSubstr("do not lie in its segment"));
  EXPECT_THAT(error_with_data(4, {1}), HasSubstr("number 4, does not exist"));
  EXPECT_THAT(error_with_data(UINT32_MAX, {1}), HasSubstr("does not exist"));
}

TEST(TensorCheckTest, ConstantsAreAligned) {
  TestProgram p;
  p.constants(p.segment(std::string(64, '\0')), {0, 2});
  TestTensor tensor;
  tensor.data = 1;
  p.tensor(tensor);
  EXPECT_THAT(read_error(p), HasSubstr("not aligned"));
}

TEST(TensorCheckTest, InlineConstantsHaveTheirSize) {
  // ExecuTorch reads past a buffer that is too small.
  for (const size_t size : {0, 20, 24, 28}) {
    TestProgram p;
    p.inline_constant({});
    p.inline_constant(std::vector<uint8_t>(size));
    TestTensor tensor;
    tensor.data = 1;
    p.tensor(tensor);
    EXPECT_EQ(read_error(p).empty(), size == 24) << size;
  }
}

TEST(TensorCheckTest, PlannedTensorsLieInTheirMemory) {
  const auto error_at = [](uint64_t offset, uint32_t memory_id = 1) {
    TestTensor tensor;
    tensor.planned_at = offset;
    tensor.memory_id = memory_id;
    return error_with_tensor(tensor);
  };
  EXPECT_EQ(error_at(0), "");
  EXPECT_EQ(error_at(1000), "");
  EXPECT_THAT(error_at(1004), HasSubstr("do not lie in the planned memory of 1024"));
  EXPECT_THAT(error_at(uint64_t{1} << 32), HasSubstr("do not lie in the planned memory"));
  EXPECT_THAT(error_at(UINT64_MAX - 3), HasSubstr("do not lie in the planned memory"));
  EXPECT_THAT(error_at(2), HasSubstr("not aligned"));
  EXPECT_THAT(error_at(0, 0), HasSubstr("memory 0 of 2"));
  EXPECT_THAT(error_at(0, 2), HasSubstr("memory 2 of 2"));
  EXPECT_THAT(error_at(0, UINT32_MAX), HasSubstr("memory 4294967295 of 2"));
}

TEST(TensorCheckTest, InitialValuesLieInTheFirstMutableSegment) {
  TestTensor tensor;
  tensor.planned_at = 0;
  tensor.sizes = {4};
  tensor.data = 2;
  EXPECT_EQ(error_with_tensor(tensor), "");
  tensor.mutable_segment = 1;
  EXPECT_THAT(error_with_tensor(tensor), HasSubstr("not in the first"));
  tensor.mutable_segment = 0;
  tensor.sizes = {5};
  EXPECT_THAT(error_with_tensor(tensor), HasSubstr("do not lie in its segment"));
  tensor.data = 3;
  EXPECT_THAT(error_with_tensor(tensor), HasSubstr("does not exist"));
}

TEST(ValueCheckTest, ContentIsThere) {
  for (int type = 2; type <= 11; ++type) {
    TestProgram p;
    p.empty(static_cast<fb::KernelTypes>(type));
    EXPECT_THAT(read_error(p), HasSubstr("value 0: it has no content")) << type;
  }
  for (const int type : {0, 12, 255}) {
    TestProgram p;
    p.empty(static_cast<fb::KernelTypes>(type));
    EXPECT_NE(read_error(p), "") << type;
  }
}

TEST(ValueCheckTest, ItemsOfListsAreOfTheRightKind) {
  const auto error_with = [](auto make) {
    TestProgram p;
    p.number(int64_t{1});  // 0
    p.tensor({});          // 1
    p.none();              // 2
    make(p);
    return read_error(p);
  };
  EXPECT_EQ(error_with([](TestProgram& p) { p.ints({0, 0}); }), "");
  // An int may come after the list of it.
  EXPECT_EQ(error_with([](TestProgram& p) {
              p.ints({4});
              p.number(int64_t{2});
            }),
            "");
  for (const int64_t item : {int64_t{-1}, int64_t{1}, int64_t{3}, int64_t{4}, INT64_MAX}) {
    EXPECT_THAT(error_with([&](TestProgram& p) { p.ints({0, item}); }), HasSubstr("not an int"));
  }
  EXPECT_EQ(error_with([](TestProgram& p) { p.tensors({1, 1}); }), "");
  for (const int32_t item : {-1, 0, 2, 3, 4, INT32_MAX}) {
    EXPECT_THAT(error_with([&](TestProgram& p) { p.tensors({item}); }), HasSubstr("its item"));
  }
  EXPECT_EQ(error_with([](TestProgram& p) { p.optional_tensors({1, 2, -1}); }), "");
  for (const int32_t item : {-2, 0, 3, 4}) {
    EXPECT_THAT(error_with([&](TestProgram& p) { p.optional_tensors({item}); }),
                HasSubstr("its item"));
  }
  // ExecuTorch would read a tensor that is not made yet.
  EXPECT_THAT(error_with([](TestProgram& p) {
                p.tensors({4});
                p.tensor({});
              }),
              HasSubstr("not a value before it"));
  EXPECT_THAT(error_with([](TestProgram& p) { p.flags({1, 2}); }), HasSubstr("not a bool"));
}

TEST(ValueCheckTest, ItemsAreCounted) {
  // Lists may share a table of items, so that a small file can ask for much.
  TestProgram p;
  const int32_t one = p.number(int64_t{1});
  for (int i = 0; i < 5; ++i) p.ints(std::vector<int64_t>(1 << 20, one));
  EXPECT_THAT(read_error(p), HasSubstr("more than 4194304 items"));
}

}  // namespace
}  // namespace slipway::pte
