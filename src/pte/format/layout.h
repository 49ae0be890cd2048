// How an ExecuTorch file is laid out around its flatbuffer (docs/formats/pte.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace slipway::pte {

// A flatbuffer begins with the offset of its root table; its identifier follows.
inline constexpr size_t kIdentifierOffset = 4;
inline constexpr std::string_view kIdentifier = "ET12";

// The extended header: magic, u32 length, u64 program size (from the file's first byte), u64 offset
// of the segments' base, u64 size of all segments. All little-endian. Older writers left out the
// last field.
inline constexpr size_t kHeaderOffset = 8;
inline constexpr std::string_view kHeaderMagic = "eh00";
inline constexpr uint32_t kHeaderLength = 32;
inline constexpr uint32_t kHeaderLengthWithoutSegmentSize = 24;

// The header takes a multiple of this between the flatbuffer's first 8 bytes and the rest, which
// therefore keeps its alignment.
inline constexpr size_t kFlatbufferAlignment = 16;
// Of the segments' base and of every segment.
inline constexpr size_t kSegmentAlignment = 128;
// The same where the file has engines, and of each engine: a library may map an engine, or want
// its weights aligned.
inline constexpr size_t kEngineAlignment = 4096;
// Of each constant, each initial value of a buffer, and each planned tensor.
inline constexpr size_t kTensorAlignment = 16;
// Of what is planned in the memory of a CUDA device: what engines want there.
inline constexpr size_t kDeviceAlignment = 256;

// AllocationDetails.memory_id of the CPU's planned memory: the index into non_const_buffer_sizes,
// whose entry 0 is not used. Those of devices are behind it.
inline constexpr uint32_t kPlannedMemoryId = 1;
// That of the mutable buffers that methods share, where any do (share_mutable_buffers):
// ExecuTorch's runtimes have one memory for it, and whatever methods plan there.
inline constexpr uint32_t kSharedMemoryId = 2;
// What ExecuTorch's kernels and tensors take.
inline constexpr size_t kMaxRank = 16;
// ExecuTorch formats "name.overload" into 100 bytes.
inline constexpr size_t kMaxOperatorName = 99;

}  // namespace slipway::pte
