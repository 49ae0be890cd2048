// For tests and fuzz programs: zip archives made in memory, and real ones with their entries
// changed.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <libdeflate.h>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/mapped_file.h"
#include "ir/program.h"
#include "pt2/program_reader.h"
#include "pt2/zip_reader.h"

namespace slipway::pt2 {

struct TestEntry {
  std::string name;
  std::string data;
  uint16_t method = 0;  // 8: deflated
  // Fields of the directory that lie, where set.
  std::optional<uint32_t> claimed_crc = std::nullopt;
  std::optional<uint32_t> claimed_size = std::nullopt;
  std::optional<uint32_t> claimed_offset = std::nullopt;
  uint16_t flags = 0;
  bool zip64 = false;           // sizes and offset in the zip64 field
  std::string local_name = {};  // another name in the local header
};

template <class T>
void append(std::string& to, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  to.append(bytes, sizeof(T));
}

inline std::string deflated(const std::string& data) {
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
      libdeflate_alloc_compressor(1), &libdeflate_free_compressor);
  std::string output(libdeflate_deflate_compress_bound(compressor.get(), data.size()), '\0');
  output.resize(libdeflate_deflate_compress(compressor.get(), data.data(), data.size(),
                                            output.data(), output.size()));
  return output;
}

// The bytes of a zip archive. `claimed_count` is what its end record says, where not negative.
inline std::string make_zip(const std::vector<TestEntry>& entries, int claimed_count = -1,
                            const std::string& comment = "") {
  std::string zip;
  std::string directory;
  for (const TestEntry& entry : entries) {
    const std::string body = entry.method == 8 ? deflated(entry.data) : entry.data;
    const auto offset = static_cast<uint32_t>(zip.size());
    const uint32_t crc =
        entry.claimed_crc.value_or(crc32(0, std::as_bytes(std::span<const char>(entry.data))));
    const auto size = entry.claimed_size.value_or(static_cast<uint32_t>(entry.data.size()));
    const auto stored = entry.method == 0 ? size : static_cast<uint32_t>(body.size());
    const std::string& local_name = entry.local_name.empty() ? entry.name : entry.local_name;
    const bool follow = (entry.flags & 8) != 0;

    append<uint32_t>(zip, 0x04034b50);
    append<uint16_t>(zip, 45);
    append<uint16_t>(zip, entry.flags);
    append<uint16_t>(zip, entry.method);
    append<uint32_t>(zip, 0);
    append<uint32_t>(zip, follow ? 0 : crc);
    append<uint32_t>(zip, follow ? 0 : stored);
    append<uint32_t>(zip, follow ? 0 : size);
    append<uint16_t>(zip, static_cast<uint16_t>(local_name.size()));
    append<uint16_t>(zip, 0);
    zip += local_name + body;

    std::string extra;
    if (entry.zip64) {
      append<uint16_t>(extra, 1);
      append<uint16_t>(extra, 24);
      append<uint64_t>(extra, size);
      append<uint64_t>(extra, stored);
      append<uint64_t>(extra, entry.claimed_offset.value_or(offset));
    }
    constexpr uint32_t kWide = 0xffffffff;
    append<uint32_t>(directory, 0x02014b50);
    append<uint32_t>(directory, 45);
    append<uint16_t>(directory, entry.flags);
    append<uint16_t>(directory, entry.method);
    append<uint32_t>(directory, 0);
    append<uint32_t>(directory, crc);
    append<uint32_t>(directory, entry.zip64 ? kWide : stored);
    append<uint32_t>(directory, entry.zip64 ? kWide : size);
    append<uint16_t>(directory, static_cast<uint16_t>(entry.name.size()));
    append<uint16_t>(directory, static_cast<uint16_t>(extra.size()));
    append<uint64_t>(directory, 0);
    append<uint16_t>(directory, 0);
    append<uint32_t>(directory, entry.zip64 ? kWide : entry.claimed_offset.value_or(offset));
    directory += entry.name + extra;
  }
  const auto directory_offset = static_cast<uint32_t>(zip.size());
  const auto count =
      static_cast<uint16_t>(claimed_count >= 0 ? claimed_count : static_cast<int>(entries.size()));
  zip += directory;
  append<uint32_t>(zip, 0x06054b50);
  append<uint32_t>(zip, 0);
  append<uint16_t>(zip, count);
  append<uint16_t>(zip, count);
  append<uint32_t>(zip, static_cast<uint32_t>(directory.size()));
  append<uint32_t>(zip, directory_offset);
  append<uint16_t>(zip, static_cast<uint16_t>(comment.size()));
  return zip + comment;
}

inline std::string text_of(const OwnedSpan& span) {
  return {reinterpret_cast<const char*>(span.bytes.data()), span.bytes.size()};
}

// All entries of an archive of tests/data; empty where it can't be read.
inline std::vector<TestEntry> entries_of(const std::string& path) {
  std::vector<TestEntry> entries;
  const auto file = MappedFile::open(path);
  if (!file.ok()) return entries;
  auto zip = ZipReader::open(OwnedSpan{(*file)->bytes(), *file}, path);
  if (!zip.ok()) return entries;
  for (const ZipEntry& entry : zip->entries()) {
    auto data = zip->read(entry);
    if (data.ok()) entries.push_back({.name = entry.name, .data = text_of(*data)});
  }
  return entries;
}

inline Result<ir::Program> read_entries(const std::vector<TestEntry>& entries) {
  return read_program(own_bytes(make_zip(entries)), "test.pt2");
}

}  // namespace slipway::pt2
