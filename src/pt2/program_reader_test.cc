#include "pt2/program_reader.h"

#include <filesystem>
#include <iostream>

#include <gtest/gtest.h>

namespace slipway::pt2 {
namespace {
TEST(ProgramReader, Golden) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(SLIPWAY_TEST_DATA "/")) {
    if (entry.path().extension() != ".pt2" && entry.path().extension() != ".ep") continue;
    auto program = read_program(entry.path().string());
    if (!program.ok()) {
      ADD_FAILURE() << program.error().message();
      continue;
    }
    auto ok = ir::verify(*program);
    EXPECT_TRUE(ok.ok()) << entry.path() << ok.error().message();
    if (getenv("PRINT")) std::cout << ir::print(*program);
  }
}
}  // namespace
}  // namespace slipway::pt2
