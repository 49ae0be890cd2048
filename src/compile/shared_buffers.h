// Mutable buffers that methods have in common.
#pragma once

#include <vector>

#include "compile/built_methods.h"
#include "ir/program.h"
#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway {

// Makes the programs, one a method, functional, and has each that reads a buffer which another one
// changes say that it changes it, too, so that nothing takes it for a constant. Buffers of one
// name, of which a method changes any, are errors where they differ in type, shape or initial
// value. Warns where nothing is in common.
Status share_buffers(std::vector<ir::Program>& programs, const NamedPrograms& methods,
                     const CompileOptions& options);

}  // namespace slipway
