// Programs as bytes, for tests that change them.
#pragma once

#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "pte/format/program_generated.h"

namespace slipway::runtime {

inline std::vector<std::byte> read_bytes(const std::string& name) {
  std::ifstream stream(std::string(SLIPWAY_TEST_DATA) + "/" + name, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(stream)),
                         std::istreambuf_iterator<char>());
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  return {bytes, bytes + text.size()};
}

// One that jumps back for ever where its input, float32[2, 3], is all zeros.
inline std::vector<std::byte> endless_program() {
  std::vector<std::byte> bytes = read_bytes("pte/cond.pte");
  const auto* plan = executorch_flatbuffer::GetProgram(bytes.data())->execution_plan()->Get(0);
  int32_t position = 0;
  for (const auto* instruction : *plan->chains()->Get(0)->instructions()) {
    if (const auto* jump = instruction->instr_args_as_JumpFalseCall()) {
      auto* table = reinterpret_cast<flatbuffers::Table*>(
          const_cast<executorch_flatbuffer::JumpFalseCall*>(jump));
      EXPECT_TRUE(table->SetField<int32_t>(
          executorch_flatbuffer::JumpFalseCall::VT_DESTINATION_INSTRUCTION, position, 0));
      break;
    }
    ++position;
  }
  return bytes;
}

}  // namespace slipway::runtime
