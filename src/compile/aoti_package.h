// Packages of AOTInductor (docs/aoti.md): a shared library with a program, as PyTorch's loaders
// want it.
#pragma once

#include <string>

#include "base/mapped_file.h"
#include "base/piece_writer.h"
#include "pte/reader/reader.h"
#include "slipway/result.h"

namespace slipway {

// `device`: in whose memory PyTorch's tensors are, by PyTorch's name.
PieceList aoti_package(PieceList library, const char* device);

// The shared library in a package that aoti_package() made.
Result<OwnedSpan> library_of_package(const OwnedSpan& package, const std::string& name);

// Whether PyTorch's callers, who pass tensors alone, can call the program and take what it gives.
Status check_callable_by_pytorch(const pte::File& file);

}  // namespace slipway
