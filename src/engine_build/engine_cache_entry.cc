#include "engine_build/engine_cache_entry.h"

#include <cstdint>
#include <cstring>
#include <span>

#include "base/checked.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/try.h"
#include "engine/json.h"
#include "engine/record_json.h"

namespace slipway::engine_build {

namespace {

// The end of an entry. Little-endian, as every machine that Slipway runs on.
struct Trailer {
  uint64_t engine_size;
  uint64_t record_size;
  char engine_xxh3[kXxh3HexDigits];
  char record_xxh3[kXxh3HexDigits];
  char key[kSha256HexDigits];
  uint64_t format;
  char magic[8];
};
static_assert(sizeof(Trailer) == 160 && alignof(Trailer) == 8);

constexpr std::string_view kMagic = "slipengn";

template <size_t kSize>
void put(char (&field)[kSize], std::string_view text) {
  std::memcpy(field, text.data(), std::min(kSize, text.size()));
}

template <size_t kSize>
std::string_view text_of(const char (&field)[kSize]) {
  return {field, kSize};
}

struct Parts {
  std::span<const std::byte> engine;
  std::span<const std::byte> record;
  Trailer trailer;
};

Result<Parts> split(std::span<const std::byte> file, std::string_view key) {
  Parts parts = {};
  if (file.size() < sizeof(Trailer)) return invalid_file("it is cut short");
  const auto body = file.first(file.size() - sizeof(Trailer));
  std::memcpy(&parts.trailer, file.data() + body.size(), sizeof(Trailer));
  const Trailer& trailer = parts.trailer;
  if (text_of(trailer.magic) != kMagic) return invalid_file("it does not end as an entry does");
  if (trailer.format != kEntryFormat) {
    return invalid_file("its format is {}, and this version reads {}", trailer.format,
                        kEntryFormat);
  }
  if (text_of(trailer.key) != key) return invalid_file("it is an entry of another key");
  if (checked_add(trailer.engine_size, trailer.record_size) != body.size()) {
    return invalid_file("it is {} bytes long, which its sizes do not add up to", file.size());
  }
  parts.engine = body.first(trailer.engine_size);
  parts.record = body.subspan(trailer.engine_size);
  return parts;
}

Result<engine::EngineRecord> record_of(const Parts& parts) {
  if (text_of(parts.trailer.record_xxh3) != xxh3_hex(parts.record)) {
    return invalid_file("its record does not have its checksum");
  }
  const std::string_view text(reinterpret_cast<const char*>(parts.record.data()),
                              parts.record.size());
  SLIPWAY_ASSIGN_OR_RETURN(const auto document, JsonDocument::parse(text, "its record"));
  engine::EngineRecord record = engine::read_record(document->root());
  SLIPWAY_RETURN_IF_ERROR(document->status());
  if (record.size != parts.engine.size()) {
    return invalid_file("its record is of another engine");
  }
  return record;
}

}  // namespace

std::string entry_tail(std::string_view key, const engine::EngineRecord& record,
                       std::string_view engine_xxh3) {
  std::string tail = engine::dump_json(engine::record_to_json(record));
  Trailer trailer = {};
  trailer.engine_size = record.size;
  trailer.record_size = tail.size();
  put(trailer.engine_xxh3, engine_xxh3);
  put(trailer.record_xxh3, xxh3_hex(std::as_bytes(std::span<const char>(tail))));
  put(trailer.key, key);
  trailer.format = kEntryFormat;
  put(trailer.magic, kMagic);
  tail.append(reinterpret_cast<const char*>(&trailer), sizeof trailer);
  return tail;
}

Result<engine::EngineRecord> read_entry_record(std::span<const std::byte> file,
                                               std::string_view key) {
  SLIPWAY_ASSIGN_OR_RETURN(const Parts parts, split(file, key));
  return record_of(parts);
}

Result<engine::Engine> read_entry(const OwnedSpan& file, std::string_view key) {
  SLIPWAY_ASSIGN_OR_RETURN(const Parts parts, split(file.bytes, key));
  if (text_of(parts.trailer.engine_xxh3) != xxh3_hex(parts.engine)) {
    return invalid_file("the engine does not have its checksum");
  }
  SLIPWAY_ASSIGN_OR_RETURN(engine::EngineRecord record, record_of(parts));
  return engine::Engine{std::move(record), {parts.engine, file.owner}};
}

}  // namespace slipway::engine_build
