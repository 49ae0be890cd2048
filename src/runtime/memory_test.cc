#include "runtime/memory.h"

#include <cstring>

#include <gtest/gtest.h>

namespace slipway::runtime {
namespace {

TEST(Memory, IsZeroedAndMovable) {
  auto memory = Memory::allocate(10'000, "test");
  ASSERT_TRUE(memory.ok());
  for (size_t i = 0; i < memory->size(); ++i) ASSERT_EQ(memory->data()[i], std::byte{0});
  const std::byte* data = memory->data();
  const Memory moved = std::move(*memory);
  EXPECT_EQ(moved.data(), data);
}

TEST(Memory, RefusesWhatTheMachineLacks) {
  auto memory = Memory::allocate(uint64_t{1} << 60, "planned memory of forward of m.pte");
  ASSERT_FALSE(memory.ok());
  EXPECT_EQ(memory.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(memory.error().message().find("planned memory of forward of m.pte takes"), 0u);
}

TEST(TemporaryAllocator, AlignsAndKeepsAllocationsApart) {
  TemporaryAllocator allocator;
  auto* a = static_cast<char*>(allocator.allocate(3, 1));
  auto* b = static_cast<char*>(allocator.allocate(100, 64));
  auto* c = static_cast<char*>(allocator.allocate(1'000'000, 16));
  ASSERT_TRUE(a != nullptr && b != nullptr && c != nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(b) % 64, 0u);
  std::memset(a, 1, 3);
  std::memset(b, 2, 100);
  std::memset(c, 3, 1'000'000);
  EXPECT_EQ(a[2], 1);
  EXPECT_EQ(b[99], 2);
  EXPECT_EQ(allocator.allocate(1, 3), nullptr);
  EXPECT_EQ(allocator.allocate(SIZE_MAX, 8), nullptr);
}

TEST(TemporaryAllocator, ReusesItsLargestBlock) {
  TemporaryAllocator allocator;
  allocator.allocate(10, 8);
  void* large = allocator.allocate(1'000'000, 8);
  allocator.reset();
  EXPECT_EQ(allocator.allocate(900'000, 8), large);
}

}  // namespace
}  // namespace slipway::runtime
