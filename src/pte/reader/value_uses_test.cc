#include "pte/reader/value_uses.h"

#include <gtest/gtest.h>

#include "base/mapped_file.h"
#include "pte/format/program_generated.h"
#include "pte/reader/reader.h"

namespace slipway::pte {
namespace {

std::vector<ValueUses> uses_in(const std::string& name) {
  const std::string path = std::string(SLIPWAY_TEST_DATA) + "/runtime/" + name;
  auto mapped = *MappedFile::open(path);
  const auto bytes = mapped->bytes();
  const auto file = File::read({bytes, std::move(mapped)}, path);
  EXPECT_TRUE(file.ok()) << file.error().message();
  return value_uses(*file->program().execution_plan()->Get(0));
}

using Values = std::vector<uint32_t>;

TEST(ValueUses, KernelsReadTheirArgumentsAndWriteTheLast) {
  const auto uses = uses_in("add.pte");
  ASSERT_EQ(uses.size(), 3u);
  EXPECT_EQ(uses[0].reads, (Values{1, 2})) << "add, without the number that it multiplies by";
  EXPECT_EQ(uses[0].writes, Values{3}) << "named twice, as an argument and as what is given";
  EXPECT_EQ(uses[2].reads, (Values{1, 5}));
  EXPECT_EQ(uses[2].writes, Values{8});
  // Into the state.
  const auto counter = uses_in("counter.pte");
  EXPECT_EQ(counter.back().reads, Values{3});
  EXPECT_EQ(counter.back().writes, Values{0});
}

TEST(ValueUses, EnginesWriteWhatNothingWroteBefore) {
  const auto uses = uses_in("engine.pte");
  ASSERT_EQ(uses.size(), 2u);
  EXPECT_EQ(uses[1].reads, (Values{2, 0}));
  EXPECT_EQ(uses[1].writes, Values{1});
}

}  // namespace
}  // namespace slipway::pte
