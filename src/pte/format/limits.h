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
// Inputs of all methods together, and outputs.
inline constexpr size_t kMaxEnds = 1 << 14;
// Items of all lists of a method together, and likewise arguments of all instructions.
inline constexpr size_t kMaxItems = 1 << 22;
// Steps of checking all methods, loops included; an instruction or a value is kStepsOfOne.
inline constexpr uint64_t kMaxSteps = uint64_t{1} << 27;
inline constexpr uint64_t kStepsOfOne = 16;
// Places that all states have together that are kept for the targets of a method's jumps.
inline constexpr size_t kMaxKeptState = 1 << 22;
// Planned memory beyond twice what the tensors take.
inline constexpr uint64_t kMaxSpareMemory = uint64_t{16} << 20;

}  // namespace slipway::pte
