// Shared libraries with a program behind them (docs/formats/model_library.md).
#pragma once

#include <cstddef>
#include <span>

#include "base/byte_source.h"
#include "base/piece_writer.h"
#include "slipway/result.h"

namespace slipway::model_library {

// Whether the bytes begin as a program or a shared library of Linux does.
bool is_elf(std::span<const std::byte> bytes);
// Whether there is a program behind it, damaged or not.
bool has_program(std::span<const std::byte> bytes);

// The program in the bytes of a shared library; bytes that are none are the program. An error where
// a library was cut, or is not as it was written.
Result<std::span<const std::byte>> program_of(std::span<const std::byte> bytes);

// The library `stub` with the program behind it.
PieceList make_library(std::span<const std::byte> stub, const PieceList& program);

}  // namespace slipway::model_library
