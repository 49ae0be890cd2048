// The program that a bare engine is.
#pragma once

#include <string>

#include "base/mapped_file.h"
#include "engine_build/compiler.h"
#include "slipway/result.h"

namespace slipway::tensorrt {

// A call of the plan, whose inputs and outputs are the program's, by the names of its bindings.
// `library` is as Options has it.
Result<engine_build::BareProgram> program_of_plan(const OwnedSpan& plan,
                                                  const std::string& library);

}  // namespace slipway::tensorrt
