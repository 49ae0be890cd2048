// Writes data files (.ptd).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/byte_source.h"
#include "base/piece_writer.h"
#include "slipway/result.h"

namespace slipway::ptd {

struct NamedBytes {
  std::string key;
  ByteSource bytes;
};

// The file as pieces; the entries lie in it in their order, the first one at `first_offset` or
// behind it. Keys are not there twice.
Result<PieceList> lay_out(const std::vector<NamedBytes>& entries, uint64_t first_offset = 0);

}  // namespace slipway::ptd
