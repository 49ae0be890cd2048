#include "pte/emitter/constants.h"

#include <gtest/gtest.h>

#include "passes/program_test.h"

namespace slipway::pte {
namespace {

using passes::TestProgram;

std::vector<std::byte> contents(const SegmentData& segment) {
  std::vector<std::byte> bytes;
  EXPECT_TRUE(segment
                  .producer()([&](std::span<const std::byte> chunk) -> Status {
                    bytes.insert(bytes.end(), chunk.begin(), chunk.end());
                    return {};
                  })
                  .ok());
  return bytes;
}

uint32_t add(ConstantPool& pool, const ir::ConstantData& data) {
  auto index = pool.add(data, "c");
  EXPECT_TRUE(index.ok());
  return index.ok() ? *index : 0;
}

TEST(ConstantPoolTest, StoresEqualBytesOnce) {
  ConstantPool pool;
  const ir::ConstantData data = TestProgram::count({2, 3}, {3, 1});
  const uint32_t first = add(pool, data);
  EXPECT_EQ(first, 1u);
  EXPECT_EQ(add(pool, data), first);
  // Another storage with the same bytes, and another shape of them.
  EXPECT_EQ(add(pool, TestProgram::count({2, 3}, {3, 1})), first);
  EXPECT_EQ(add(pool, TestProgram::count({6}, {1})), first);
  // Other bytes.
  EXPECT_EQ(add(pool, TestProgram::count({6}, {1}, 1)), 2u);
  EXPECT_EQ(add(pool, TestProgram::count({5}, {1})), 3u);
}

TEST(ConstantPoolTest, LaysStridedDataOutAnew) {
  ConstantPool pool;
  const ir::ConstantData transposed = TestProgram::count({3, 2}, {1, 3});
  EXPECT_EQ(add(pool, transposed), 1u);
  EXPECT_EQ(add(pool, transposed), 1u);
  const auto bytes = contents(pool.segment());
  ASSERT_EQ(bytes.size(), 24u);
  const auto* values = reinterpret_cast<const float*>(bytes.data());
  EXPECT_EQ(std::vector<float>(values, values + 6), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  // What is equal element by element, laid out from elsewhere.
  EXPECT_EQ(add(pool, TestProgram::count({3, 2}, {1, 3})), 1u);
  EXPECT_EQ(add(pool, TestProgram::count({3, 2}, {3, 1})), 2u);
}

TEST(ConstantPoolTest, NeverReadsExpandedDataToCompareIt) {
  ConstantPool pool;
  const int64_t huge = int64_t{1} << 55;
  const ir::ConstantData expanded = TestProgram::count({huge}, {0});
  EXPECT_EQ(add(pool, expanded), 1u);
  EXPECT_EQ(add(pool, TestProgram::count({huge}, {0})), 2u);
  EXPECT_EQ(add(pool, expanded), 1u);
}

TEST(ConstantPoolTest, AlignsWhatItStores) {
  ConstantPool pool;
  add(pool, TestProgram::count({1}, {1}));
  add(pool, TestProgram::count({0}, {1}));
  add(pool, TestProgram::count({5}, {1}));
  add(pool, TestProgram::count({2}, {1}));
  EXPECT_EQ(pool.segment().offsets(), (std::vector<uint64_t>{0, 0, 16, 16, 48}));
  EXPECT_EQ(pool.segment().size(), 56u);
  EXPECT_EQ(contents(pool.segment()).size(), 56u);
}

TEST(ConstantPoolTest, RefusesDataThatIsNotThere) {
  ConstantPool pool;
  auto result = pool.add(TestProgram::count({100}, {1}), "p_weight");
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message().find("p_weight"), std::string::npos);
}

TEST(ConstantPoolTest, RefusesMoreThanAFileHolds) {
  ConstantPool pool;
  const int64_t huge = int64_t{1} << 60;
  EXPECT_TRUE(pool.add(TestProgram::count({huge}, {0}), "c").ok());
  EXPECT_FALSE(pool.add(TestProgram::count({huge}, {0}, 1), "c").ok());
}

}  // namespace
}  // namespace slipway::pte
