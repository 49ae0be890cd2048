// Bare engines as programs.
#pragma once

#include <string>

#include "base/mapped_file.h"
#include "engine_build/compiler.h"
#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway {

// The .pte file of a program that is one call of the engine, which this machine must be able to
// run: its library says what it takes and gives. `name` is for messages, and the compiler has
// open_bare.
Result<Artefact> wrap_engine(const OwnedSpan& engine, const std::string& name,
                             const engine_build::CompilerDescription& compiler,
                             const engine_build::OptionValues& options);

}  // namespace slipway
