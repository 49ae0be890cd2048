// The extended header, and what kind of file this is at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "slipway/result.h"

namespace slipway::pte {

// A file without an extended header is all program, and its segments are empty.
struct Header {
  // Bytes of the program part, from the file's first byte.
  uint64_t program_size = 0;
  // Where segments begin, and where they end where the header says so. Both lie within the file.
  uint64_t segment_base = 0;
  std::optional<uint64_t> segment_end;
};

Result<Header> read_header(std::span<const std::byte> bytes);

}  // namespace slipway::pte
