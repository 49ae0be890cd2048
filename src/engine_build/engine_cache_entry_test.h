// For tests and fuzz programs: damaged entries of the engine cache with their checksums put right,
// so that what lies behind them is reached.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "base/hash.h"

namespace slipway::engine_build {

// Puts sizes, checksums and the key where docs/formats/engine_cache.md has them. The size of the
// engine's bytes is what the trailer says, or less.
inline void put_right(std::string& file, const std::string& key) {
  constexpr size_t kTrailer = 160;
  if (file.size() < kTrailer) return;
  const size_t body = file.size() - kTrailer;
  uint64_t engine_size = 0;
  std::memcpy(&engine_size, file.data() + body, sizeof engine_size);
  engine_size %= body + 1;
  const uint64_t record_size = body - engine_size;
  const auto bytes = std::as_bytes(std::span(file)).first(body);
  const std::string checksums =
      xxh3_hex(bytes.first(engine_size)) + xxh3_hex(bytes.subspan(engine_size)) + key;
  std::memcpy(file.data() + body, &engine_size, sizeof engine_size);
  std::memcpy(file.data() + body + 8, &record_size, sizeof record_size);
  file.replace(body + 16, checksums.size(), checksums);
}

}  // namespace slipway::engine_build
