// How a data file is laid out around its flatbuffer: ExecuTorch's FlatTensor (docs/formats/ptd.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace slipway::ptd {

// A flatbuffer begins with the offset of its root table; its identifier follows.
inline constexpr size_t kIdentifierOffset = 4;
inline constexpr std::string_view kIdentifier = "FT01";

// The header behind it: magic, u32 length, u64 offset and u64 size of the rest of the flatbuffer,
// u64 offset of the segments' base, u64 size of all segments. All little-endian.
inline constexpr size_t kHeaderOffset = 8;
inline constexpr std::string_view kHeaderMagic = "FH01";
inline constexpr uint32_t kHeaderLength = 40;
// What it takes between the flatbuffer's first 8 bytes and the rest.
inline constexpr size_t kPaddedHeaderLength = 48;
// ExecuTorch reads so many bytes to find the header.
inline constexpr size_t kHeadBytes = 64;

// Of the segments' base and of every segment: a library may map an engine.
inline constexpr uint64_t kSegmentAlignment = 4096;

}  // namespace slipway::ptd
