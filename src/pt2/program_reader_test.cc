#include "pt2/program_reader.h"

#include <filesystem>
#include <gtest/gtest.h>
#include <iostream>

namespace slipway::pt2 {
namespace {
TEST(ProgramReader, Golden) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(SLIPWAY_TEST_DATA "/golden")) {
    if (entry.path().extension() != ".pt2") continue;
    auto program = read_program(entry.path().string());
    ASSERT_TRUE(program.ok()) << program.error().message();
    auto ok = ir::verify(*program);
    EXPECT_TRUE(ok.ok()) << entry.path() << ok.error().message();
    if (getenv("PRINT")) std::cout << ir::print(*program);
  }
}
}
}
