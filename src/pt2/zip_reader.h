// Zip archives, read over their central directory: where each entry's bytes lie in the mapping.
//
// Whatever the directory claims is checked before it is used: names, sizes, offsets, that entries
// lie apart from each other, and that each local header says the same.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "slipway/result.h"

namespace slipway::pt2 {

struct ZipEntry {
  std::string name;
  uint64_t data_offset = 0;
  uint64_t compressed_size = 0;
  uint64_t size = 0;
  uint32_t crc32 = 0;
  uint16_t method = 0;  // 0: stored, 8: deflated. Others can be listed but not read.
};

// Not synchronised: reading counts what was inflated.
class ZipReader {
 public:
  // Reads the directory; `name` is for messages.
  static Result<ZipReader> open(OwnedSpan archive, std::string name);

  const std::string& name() const { return name_; }
  // In the directory's order.
  const std::vector<ZipEntry>& entries() const { return entries_; }
  // Null where there is none.
  const ZipEntry* find(std::string_view entry_name) const;

  // The entry's bytes, with their CRC-32 checked: a span of the archive where they are stored, new
  // memory where they are deflated, or an unlinked temporary file where they are many. All deflated
  // entries together may give 8 MiB and four times the archive's size; what goes past that is
  // refused before it is inflated.
  Result<OwnedSpan> read(const ZipEntry& entry);
  // The same by name; an error where there is none.
  Result<OwnedSpan> read(std::string_view entry_name);

 private:
  ZipReader(OwnedSpan archive, std::string name)
      : archive_(std::move(archive)), name_(std::move(name)) {}
  Status read_directory();
  Status check_local_headers(const std::vector<uint64_t>& header_offsets,
                             uint64_t directory_offset);
  Result<OwnedSpan> inflate(const ZipEntry& entry);

  OwnedSpan archive_;
  std::string name_;
  std::vector<ZipEntry> entries_;
  std::vector<uint32_t> by_name_;  // indices into entries_
  uint64_t inflated_ = 0;
};

}  // namespace slipway::pt2
