// The engines that a compile asks for.
#pragma once

#include <memory>
#include <vector>

#include "engine_build/compiler.h"
#include "partition/partition.h"
#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway {

using Compilers = std::vector<std::unique_ptr<engine_build::Compiler>>;
// Those of the engines of `options`, in the same order. An error for an engine that there is not,
// and for options that it does not have.
Result<Compilers> make_compilers(const CompileOptions& options);

// What the options keep from engines.
partition::Options exclusions(const CompileOptions& options);

}  // namespace slipway
