// Apart from the other hashes, so that a program which only runs models needs no zlib.
#include <zlib.h>

#include "base/hash.h"

namespace slipway {

uint32_t crc32(uint32_t crc, std::span<const std::byte> bytes) {
  return static_cast<uint32_t>(
      ::crc32_z(crc, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

}  // namespace slipway
