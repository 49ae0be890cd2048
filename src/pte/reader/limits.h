// What a file may make the reader, and ExecuTorch behind it, do and allocate. Tables of a
// flatbuffer may be shared, so that a small file can describe a huge program.
#pragma once

#include <cstddef>
#include <cstdint>

namespace slipway::pte {

inline constexpr uint32_t kMaxTables = 1 << 22;
inline constexpr uint32_t kMaxTableDepth = 32;
inline constexpr size_t kMaxMethods = 1 << 8;
inline constexpr size_t kMaxSegments = 1 << 20;
inline constexpr size_t kMaxName = 1 << 12;
inline constexpr size_t kMaxText = 1 << 24;
// Inputs of a method, and outputs.
inline constexpr size_t kMaxEnds = 1 << 16;
// Items of all lists of a method together, and likewise arguments of all instructions.
inline constexpr size_t kMaxItems = 1 << 22;
// Steps of checking a method's instructions, loops included.
inline constexpr size_t kMaxSteps = 1 << 26;
// Planned memory beyond twice what the tensors take.
inline constexpr uint64_t kMaxSpareMemory = uint64_t{16} << 20;

}  // namespace slipway::pte
