// The descriptions of the engines in list.inc.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "engine/description.h"

namespace slipway::engine_list {

std::span<const engine::Description* const> descriptions();

// That of the engine, or of the delegate that files name so; null where no engine is called that.
const engine::Description* find_engine(std::string_view name);
const engine::Description* find_backend(std::string_view id);
// Whether such a delegate's engines take tensors in a GPU's memory (engine::Description).
bool takes_cuda_memory(std::string_view id);
// That of the engine that a file with these bytes is, and nothing else; null for other files.
const engine::Description* find_bare_engine(std::span<const std::byte> bytes);

}  // namespace slipway::engine_list
