// Reads an entry; its checksums are put right first, so that what lies behind them is reached. One
// that was read is written and read again: it must be the same.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <tuple>

#include "base/hash.h"
#include "build/engine_cache_entry.h"

namespace {

constexpr size_t kTrailer = 160;
const std::string kKey(slipway::kSha256HexDigits, '0');

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// Where docs/formats/engine_cache.md has them.
void put_right(std::string& file) {
  if (file.size() < kTrailer) return;
  const size_t body = file.size() - kTrailer;
  uint64_t engine_size = 0;
  std::memcpy(&engine_size, file.data() + body, sizeof engine_size);
  engine_size %= body + 1;
  const uint64_t record_size = body - engine_size;
  const auto bytes = bytes_of(file).first(body);
  const std::string checksums = slipway::xxh3_hex(bytes.first(engine_size)) +
                                slipway::xxh3_hex(bytes.subspan(engine_size)) + kKey;
  std::memcpy(file.data() + body, &engine_size, sizeof engine_size);
  std::memcpy(file.data() + body + 8, &record_size, sizeof record_size);
  file.replace(body + 16, checksums.size(), checksums);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string file(reinterpret_cast<const char*>(data), size);
  std::ignore = slipway::build::read_entry(slipway::own_bytes(file), kKey);
  put_right(file);
  const auto entry = slipway::build::read_entry(slipway::own_bytes(file), kKey);
  if (!entry.ok()) return 0;
  const auto engine = entry->bytes.bytes;
  std::string written(reinterpret_cast<const char*>(engine.data()), engine.size());
  written += slipway::build::entry_tail(kKey, entry->record, slipway::xxh3_hex(engine));
  const auto again = slipway::build::read_entry(slipway::own_bytes(written), kKey);
  if (!again.ok() || again->bytes.bytes.size() != engine.size() ||
      slipway::build::entry_tail(kKey, again->record, "") !=
          slipway::build::entry_tail(kKey, entry->record, "")) {
    std::abort();
  }
  return 0;
}
