// What an instruction does, in words.
#pragma once

#include <string>
#include <vector>

namespace executorch_flatbuffer {
struct ExecutionPlan;
}  // namespace executorch_flatbuffer

namespace slipway::pte {

// One an instruction of a checked plan, those of all chains: "aten::add.out", "engine 0 of
// XBackend", "move", "jump to 3 if false", "free".
std::vector<std::string> instruction_texts(const executorch_flatbuffer::ExecutionPlan& plan);

}  // namespace slipway::pte
