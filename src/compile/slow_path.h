// What a user is told of nodes that stay on kernels although they take most of a model's time.
#pragma once

#include <string>

#include "compile/engines.h"
#include "ir/program.h"
#include "slipway/compile.h"

namespace slipway {

// "; option 'allow_reduced_precision' takes in 3 of them" where that option would have the engine
// take nodes outside; empty otherwise. Of a program that calls engines, before kernels run the
// rest.
std::string slow_path_remedy(const ir::Program& program, const ProgramEngines& parts,
                             const CompileOptions& options);

// Warns of what engine::slow_path says, and of the remedy.
void warn_of_slow_path(const std::string& source, const ProgramEngines& parts,
                       const std::string& remedy, const CompileOptions& options);

}  // namespace slipway
