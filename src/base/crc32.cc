// Apart from the other hashes, so that a program which only runs models needs no libdeflate.
#include <libdeflate.h>

#include "base/hash.h"

namespace slipway {

uint32_t crc32(uint32_t crc, std::span<const std::byte> bytes) {
  return ::libdeflate_crc32(crc, bytes.data(), bytes.size());
}

}  // namespace slipway
