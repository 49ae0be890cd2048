// Options by name, as texts.
#pragma once

#include <span>

#include "slipway/compile.h"
#include "slipway/module.h"
#include "slipway/result.h"
#include "slipway/slipway_c.h"

namespace slipway::c_api {

Result<CompileOptions> to_compile_options(std::span<const slipway_option> options);
Result<LoadOptions> to_load_options(std::span<const slipway_option> options);

}  // namespace slipway::c_api
