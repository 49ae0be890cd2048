// Sizes as people write them.
#pragma once

#include <cstdint>
#include <string>

#include "slipway/result.h"

namespace slipway {

// "4096", "512MiB", "2GB": a whole number of bytes, or of B, KB, MB, GB, TB (powers of 1000) or
// KiB, MiB, GiB, TiB (powers of 1024), in any case of letters. kInvalidArgument for anything else,
// and for what does not fit into 64 bits.
Result<uint64_t> parse_byte_count(const std::string& text);

}  // namespace slipway
