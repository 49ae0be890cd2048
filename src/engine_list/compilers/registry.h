// The compilers of the engines in engine_list/list.inc.
#pragma once

#include <span>
#include <string_view>

#include "engine_build/compiler.h"

namespace slipway::engine_list {

std::span<const engine_build::CompilerDescription* const> compilers();

// Null where no engine is called that, or nothing builds it.
const engine_build::CompilerDescription* find_compiler(std::string_view name);

}  // namespace slipway::engine_list
