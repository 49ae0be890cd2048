// How the engine cache keeps an engine in a file (docs/formats/engine_cache.md).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/mapped_file.h"
#include "engine/record.h"
#include "slipway/result.h"

namespace slipway::engine_build {

// Changes with the meaning of anything in an entry, or of a key.
inline constexpr uint64_t kEntryFormat = 1;

// What follows the engine's bytes. `key` has kSha256HexDigits digits, `engine_xxh3` is of the
// engine's bytes.
std::string entry_tail(std::string_view key, const engine::EngineRecord& record,
                       std::string_view engine_xxh3);

// The record of the entry `key`; the engine's bytes are not looked at.
Result<engine::EngineRecord> read_entry_record(std::span<const std::byte> file,
                                               std::string_view key);
// The whole entry, with every byte checked. The engine's bytes are a part of `file`.
Result<engine::Engine> read_entry(const OwnedSpan& file, std::string_view key);

}  // namespace slipway::engine_build
