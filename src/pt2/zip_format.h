// The records of zip archives (PKWARE's APPNOTE.TXT).
#pragma once

#include <cstdint>

namespace slipway::pt2 {

inline constexpr uint32_t kLocalHeaderSignature = 0x04034b50;
inline constexpr uint32_t kDescriptorSignature = 0x08074b50;
inline constexpr uint32_t kDirectorySignature = 0x02014b50;
inline constexpr uint32_t kEndSignature = 0x06054b50;
inline constexpr uint32_t kZip64EndSignature = 0x06064b50;
inline constexpr uint32_t kZip64LocatorSignature = 0x07064b50;
inline constexpr uint64_t kLocalHeaderSize = 30;
inline constexpr uint16_t kZip64ExtraId = 1;

}  // namespace slipway::pt2
