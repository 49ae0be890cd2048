// Reads an entry; its checksums are put right first, so that what lies behind them is reached. One
// that was read is written and read again: it must be the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <tuple>

#include "base/hash.h"
#include "engine_build/engine_cache_entry.h"
#include "engine_build/engine_cache_entry_test.h"

namespace {

const std::string kKey(slipway::kSha256HexDigits, '0');

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string file(reinterpret_cast<const char*>(data), size);
  std::ignore = slipway::engine_build::read_entry(slipway::own_bytes(file), kKey);
  slipway::engine_build::put_right(file, kKey);
  const auto entry = slipway::engine_build::read_entry(slipway::own_bytes(file), kKey);
  if (!entry.ok()) return 0;
  const auto engine = entry->bytes.bytes;
  std::string written(reinterpret_cast<const char*>(engine.data()), engine.size());
  written += slipway::engine_build::entry_tail(kKey, entry->record, slipway::xxh3_hex(engine));
  const auto again = slipway::engine_build::read_entry(slipway::own_bytes(written), kKey);
  if (!again.ok() || again->bytes.bytes.size() != engine.size() ||
      slipway::engine_build::entry_tail(kKey, again->record, "") !=
          slipway::engine_build::entry_tail(kKey, entry->record, "")) {
    std::abort();
  }
  return 0;
}
