#include "pte/reader/state.h"

#include <vector>

#include <gtest/gtest.h>

#include "pte/reader/program_test.h"

namespace slipway::pte {
namespace {

// Of two methods with these tensors, 16 bytes each in memory 2.
bool two_share(const std::vector<TestTensor>& tensors, bool on_device = false, int methods = 2) {
  TestProgram program;
  program.methods = methods;
  program.memories = {0, 1024, 1024};
  if (on_device) program.device_memories = {{2, 0}};
  for (const TestTensor& tensor : tensors) program.tensor(tensor);
  const auto bytes = program.build();
  return shares_state(*fb::GetProgram(bytes.data()));
}

TestTensor buffer(const char* name, uint64_t offset, uint32_t memory = 2) {
  return {.sizes = {4}, .planned_at = offset, .memory_id = memory, .name = name};
}

TEST(StateTest, MethodsShareTheMemoryThatHasNothingButState) {
  EXPECT_TRUE(two_share({buffer("a", 0), buffer("b", 16)}));
  EXPECT_TRUE(two_share({buffer("a", 0), buffer("", 0)})) << "another shape of it";
  EXPECT_TRUE(two_share({buffer("a", 0), buffer("b", 0, 1)}));
  EXPECT_FALSE(two_share({buffer("a", 0, 1)}));
  EXPECT_FALSE(two_share({buffer("", 0)}));
  EXPECT_FALSE(two_share({buffer("a", 0), buffer("", 32)}));
  EXPECT_FALSE(two_share({buffer("a", 0), buffer("b", 8)})) << "they overlap";
  EXPECT_FALSE(two_share({buffer("a", 0)}, /*on_device=*/true));
  EXPECT_FALSE(two_share({buffer("a", 0)}, /*on_device=*/false, /*methods=*/1));
}

}  // namespace
}  // namespace slipway::pte
