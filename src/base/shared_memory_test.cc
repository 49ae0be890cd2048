#include "base/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(SharedMemory, IsTheSameForBoth) {
  const auto own = SharedMemory::create(100);
  ASSERT_TRUE(own.ok());
  EXPECT_EQ((*own)->bytes().size(), 100u);
  const auto other = SharedMemory::open(Descriptor(::dup((*own)->descriptor().number())));
  ASSERT_TRUE(other.ok());
  (*own)->bytes()[7] = std::byte{42};
  EXPECT_EQ((*other)->bytes()[7], std::byte{42});
}

TEST(SharedMemory, KeepsItsSize) {
  const auto memory = SharedMemory::create(100);
  ASSERT_TRUE(memory.ok());
  EXPECT_NE(::ftruncate((*memory)->descriptor().number(), 0), 0);
  const int shrinkable = ::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ASSERT_EQ(::ftruncate(shrinkable, 100), 0);
  EXPECT_FALSE(SharedMemory::open(Descriptor(shrinkable)).ok());
  EXPECT_FALSE(SharedMemory::open(Descriptor(::open("/dev/null", O_RDWR))).ok());
  EXPECT_EQ(SharedMemory::create(UINT64_MAX).error().code(), ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace slipway
